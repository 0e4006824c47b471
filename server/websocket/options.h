// The WebSocket transport's limits, with their defaults (docs/protocol.md, "Limits and defaults").
#ifndef CRIER_SERVER_WEBSOCKET_OPTIONS_H_
#define CRIER_SERVER_WEBSOCKET_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace crier {

struct WebSocketOptions {
  // A connection that has not finished a request's header by then is closed. Also between the
  // requests of a connection that is kept alive.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  // A ping is sent when nothing was received for this long...
  std::chrono::milliseconds ping_interval = std::chrono::seconds(25);
  // ...and the peer then has this long to send something. Any byte is an answer.
  std::chrono::milliseconds ping_timeout = std::chrono::seconds(10);
  // A peer that neither sends nor takes a byte for this long is gone.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(35);
  // From the server's close frame to the hard close, where the peer does not answer.
  std::chrono::milliseconds close_timeout = std::chrono::seconds(5);

  // Origins accepted besides the requested host's own, as browsers send them:
  // "https://example.org". "*" accepts every origin.
  std::vector<std::string> allowed_origins;
  // Serve /echo, for conformance suites.
  bool enable_echo = false;
  // Negotiate permessage-deflate with clients that offer it.
  bool compression = false;

  // Submit the sends of a burst to the kernel together, through io_uring, where it lets us.
  bool io_uring = true;

  // Of a message's body, after unescaping; the engine checks it.
  size_t max_body_bytes = 64 << 10;
  // Of a whole WebSocket message, and the transport's own limit: a body of max_body_bytes whose
  // every other byte needed a backslash, and 4 KiB for the rest of the object.
  size_t max_message_bytes = 2 * (64 << 10) + (4 << 10);
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_OPTIONS_H_
