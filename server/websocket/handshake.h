// The answer to an upgrade: what Beast is told before it accepts one.
#ifndef CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_
#define CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_

#include "server/websocket/beast_stream.h"
#include "server/websocket/dialect.h"
#include "server/websocket/http_routes.h"

namespace crier {

// What Beast answered.
struct HandshakeResult {
  bool accepted = false;  // with 101
  bool extended = false;  // permessage-deflate is in use, be it one way only
  bool deflate = false;   // messages may be sent deflated with a window of 32 KiB
};

// Sets Beast's options for a connection that is about to be accepted: no timers of Beast's own (the
// shard looks at deadlines), the server's name, the subprotocol of `dialect`, where it has one, and
// permessage-deflate where `compression` allows it. A null dialect is none.
//
// *result is filled in when the answer is built, which async_accept does at once. It outlives that.
void PrepareHandshake(BeastStream* ws, bool compression, const Dialect* dialect,
                      HandshakeResult* result);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_
