// The answer to an upgrade: what Beast is told before it accepts one.
#ifndef CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_
#define CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_

#include <boost/beast/websocket/stream.hpp>

#include "server/websocket/gather_stream.h"
#include "server/websocket/http_routes.h"

namespace crier {

// Sets Beast's options for a connection that is about to be accepted: no timers of Beast's own (the
// shard looks at deadlines), the server's name, and permessage-deflate where `compression` allows
// it.
//
// *deflate, if not null, is set when the answer is built: true where messages may be sent deflated
// with a window of 32 KiB (PlainDeflateEncoding). It outlives the handshake.
void PrepareHandshake(boost::beast::websocket::stream<GatherStream>* ws, bool compression,
                      const HttpRequest& request, bool* deflate);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HANDSHAKE_H_
