// The WebSocket transport's limits, with their defaults (docs/protocol.md, "Limits and defaults").
#ifndef CRIER_SERVER_WEBSOCKET_OPTIONS_H_
#define CRIER_SERVER_WEBSOCKET_OPTIONS_H_

#include <chrono>
#include <cstddef>

#include "server/net/origin_rules.h"

namespace crier {

struct WebSocketOptions {
  // A connection that does not finish a request's header within this time is closed. Also applies
  // between the requests of a connection that is kept alive.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  // A ping is sent when nothing was received for this long...
  std::chrono::milliseconds ping_interval = std::chrono::seconds(25);
  // ...and the peer then has this long to send something. Any byte is an answer.
  std::chrono::milliseconds ping_timeout = std::chrono::seconds(10);
  // A peer that neither sends nor takes a byte for this long counts as gone.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(35);
  // The time from the server's close frame to the hard close, if the peer does not answer.
  std::chrono::milliseconds close_timeout = std::chrono::seconds(5);

  // Pages that may connect, besides those of the requested host itself.
  OriginRules allowed_origins;
  // The names by which the server may be asked. Where none is listed: any, but if it listens on
  // loopback addresses only, addresses and localhost.
  HostRules allowed_hosts;
  // Trusted proxies begin each connection with a header of the PROXY protocol.
  bool proxy_protocol = false;
  // Serve what administrators need, and nothing else: calls, their page, and how the server is.
  bool for_admin = false;
  // Serve /echo, for conformance suites.
  bool enable_echo = false;
  // Negotiate permessage-deflate with clients that offer it.
  bool compression = false;

  // Submit the sends of a burst to the kernel together through io_uring, if the kernel has it.
  bool io_uring = true;

  // The longest message body, after unescaping. The engine checks it.
  size_t max_body_bytes = 64 << 10;
  // The longest WebSocket message; the transport checks it.
  size_t max_message_bytes = MaxMessageBytes(64 << 10);

  // Enough for a body of so many bytes each of which is escaped, as \u0041 has it for A, and 4 KiB
  // for the rest of the object.
  static constexpr size_t MaxMessageBytes(size_t max_body_bytes) {
    return 6 * max_body_bytes + (4 << 10);
  }
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_OPTIONS_H_
