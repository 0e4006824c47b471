// The answer to an upgrade: what Beast is told before it accepts one.
#ifndef CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_
#define CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_

#include <boost/beast/websocket/stream.hpp>

#include "server/websocket/dialect.h"
#include "server/websocket/gather_stream.h"
#include "server/websocket/http_routes.h"

namespace crier {

// What is agreed on.
struct Handshake {
  // Set by who accepts; the answer names its subprotocol, where it has one. Null: no session, so no
  // subprotocol.
  const Dialect* dialect = nullptr;
  // --- What Beast answered.
  bool accepted = false;  // with 101
  bool deflate = false;   // messages may be sent deflated with a window of 32 KiB
};

// Sets Beast's options for a connection that is about to be accepted: no timers of Beast's own (the
// shard looks at deadlines), the server's name, and permessage-deflate where `compression` allows
// it.
//
// The rest of *handshake is filled in when the answer is built, which async_accept does at once. It
// outlives `ws`.
void PrepareHandshake(boost::beast::websocket::stream<GatherStream>* ws, bool compression,
                      Handshake* handshake);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_
