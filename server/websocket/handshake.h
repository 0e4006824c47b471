// The answer to an upgrade (RFC 6455, section 4.2.2), and what permessage-deflate is agreed on in
// it (RFC 7692, section 7.1).
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_
#define CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_

#include <optional>
#include <string>
#include <string_view>

#include "server/websocket/dialect.h"
#include "server/websocket/http_routes.h"

namespace crier {

// What the server agrees to. Each message is always deflated by itself, in both directions: one
// frame serves all clients, and no connection keeps a window between messages.
struct DeflateAgreement {
  // Of the server's messages; 15 where the client set no limit.
  int server_window_bits = 15;
  bool server_window_asked = false;  // the answer has to repeat it
};

// The first of the offers in the value of a Sec-WebSocket-Extensions header that can be agreed to.
// An offer with a parameter that is unknown, given twice or out of range is passed over, as is one
// that limits the server's window to 8 bits: zlib cannot make that (deflateInit2).
std::optional<DeflateAgreement> ChooseDeflateOffer(std::string_view offers);

struct Handshake {
  std::string response;  // 101, ready to be sent
  std::optional<DeflateAgreement> deflate;

  // Messages may be sent that were deflated with the widest window, as those are that all clients
  // share.
  bool may_share_deflated() const { return deflate && deflate->server_window_bits == 15; }
};

// Accepts an upgrade. `request`: was checked (AnswerRequest). `dialect`: null: no subprotocol.
// `compression`: agree to permessage-deflate where it is offered.
Handshake AcceptUpgrade(const HttpRequest& request, const Dialect* dialect, bool compression);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_
