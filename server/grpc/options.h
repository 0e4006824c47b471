// The gRPC transport's limits, with their defaults (docs/protocol.md, "Limits and defaults").
#ifndef CRIER_SERVER_GRPC_OPTIONS_H_
#define CRIER_SERVER_GRPC_OPTIONS_H_

#include <chrono>
#include <cstddef>

namespace crier {

struct GrpcOptions {
  // The most bytes of one frame or request. The default is enough for the largest body (64 KiB), a
  // `data` of the same size and the other fields.
  size_t max_receive_bytes = 2 * (64 << 10) + 4096;
  // A stream over this limit waits in the client until another one ends.
  int max_streams_per_connection = 1024;
  // The most that a connection may make the server keep: parts of messages, answers that are not
  // taken, and streams. In bytes; 0: 4 MiB, and 2 KiB for each stream that it may have.
  size_t max_connection_bytes = 0;
  // The most metadata of a call, in bytes as HTTP/2 counts them: for each entry its name, its value
  // and 32. A call over the limit is refused. Clients are told a limit that is kHardMetadataFactor
  // times as high: above the limit they are told, they refuse the call themselves, and then nobody
  // says what the limit is.
  size_t max_metadata_bytes = 8192;
  static constexpr size_t kHardMetadataFactor = 4;

  // The client's preface and settings have to come within this time.
  std::chrono::milliseconds handshake_timeout{10000};
  // The server sends a ping when nothing was received for keepalive_time. If there is no answer
  // within keepalive_timeout, the connection is gone.
  std::chrono::milliseconds keepalive_time{25000};
  std::chrono::milliseconds keepalive_timeout{10000};
  // Clients may ping at this interval, also without a call. One that pings more often is
  // disconnected.
  std::chrono::milliseconds min_client_ping_interval{5000};
  // A stream that has sent nothing for this long sends an empty frame, so that proxies with a
  // timeout for idle streams keep it. 0: never.
  std::chrono::milliseconds heartbeat_interval{25000};
  // A connection that is older (give or take a tenth) is ended, so that load balancers can spread
  // clients anew: it is told, and its sessions with their slots; after the grace its calls end. 0:
  // never.
  std::chrono::milliseconds max_connection_age{0};
  std::chrono::milliseconds max_connection_age_grace{10000};
  // When the server ends a stream, the client has this long to take the unread data and the status.
  // Then the stream is cut off.
  std::chrono::milliseconds close_timeout{10000};

  // Serve crier.v1.Messaging, besides the unary methods that the server was given.
  bool messaging = true;

  // Trusted proxies begin each connection with a header of the PROXY protocol.
  bool proxy_protocol = false;
  // Submit the sends of one burst together through io_uring, if the kernel has it.
  bool io_uring = true;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_OPTIONS_H_
