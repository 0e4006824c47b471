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
  // call is refused. Clients are told kHardMetadataFactor times as much, because they refuse what
  // is over that by themselves, and then nobody says what the limit is.
  size_t max_metadata_bytes = 8192;
  static constexpr size_t kHardMetadataFactor = 4;

  // The client's preface and settings have to have come by then.
  std::chrono::milliseconds handshake_timeout{10000};
  // A ping goes out when nothing was received for keepalive_time; a connection that leaves it
  // unanswered for keepalive_timeout is gone.
  std::chrono::milliseconds keepalive_time{25000};
  std::chrono::milliseconds keepalive_timeout{10000};
  // Clients may ping this often, also without a call. One that pings more often is disconnected.
  std::chrono::milliseconds min_client_ping_interval{5000};
  // How long a stream that the server ends waits for its client to take what was sent and the
  // status behind it. Then it is cut off.
  std::chrono::milliseconds close_timeout{10000};

  // Sends of one burst are submitted together by an io_uring ring, where the kernel has one.
  bool io_uring = true;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_OPTIONS_H_
