// The gRPC transport's limits, with their defaults (docs/protocol.md, "Limits and defaults").
#ifndef CRIER_SERVER_GRPC_OPTIONS_H_
#define CRIER_SERVER_GRPC_OPTIONS_H_

#include <chrono>
#include <cstddef>

namespace crier {

struct GrpcOptions {
  // Of one frame or request, in bytes. The default holds the largest body (64 KiB) in a frame with
  // a `data` of the same size and all the rest.
  size_t max_receive_bytes = 2 * (64 << 10) + 4096;
  // A stream over this waits in the client until another one ends.
  int max_streams_per_connection = 1024;
  // Of a call's metadata, in bytes as HTTP/2 counts them: name, value and 32 of each entry. The
  // call is refused. gRPC's own limit is kHardMetadataFactor times as high, because gRPC 1.51
  // closes the whole connection, with all its calls, when a call goes over that.
  size_t max_metadata_bytes = 8192;
  static constexpr size_t kHardMetadataFactor = 4;

  // A ping goes out when nothing was received for keepalive_time; a connection that leaves it
  // unanswered for keepalive_timeout is gone.
  std::chrono::milliseconds keepalive_time{25000};
  std::chrono::milliseconds keepalive_timeout{10000};
  // Clients may ping this often, also without a call. One that pings more often is disconnected.
  std::chrono::milliseconds min_client_ping_interval{5000};
  // How long a stream that the server ends waits for its client to take what was sent and the
  // status behind it. Then it is cut off.
  std::chrono::milliseconds close_timeout{10000};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_OPTIONS_H_
