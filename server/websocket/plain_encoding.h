// The plain dialect as an encoding: one JSON object per text frame (docs/protocol.md, "Plain
// dialect").
#ifndef CRIER_SERVER_WEBSOCKET_PLAIN_ENCODING_H_
#define CRIER_SERVER_WEBSOCKET_PLAIN_ENCODING_H_

#include "server/engine/encoding.h"

namespace crier {

// For every client. The reference lives for ever.
const Encoding& PlainEncoding();

// For clients that negotiated permessage-deflate with a window of 32 KiB for what the server sends.
// Each message is deflated by itself (server_no_context_takeover), so that it is deflated once for
// all of them; one that would not become smaller is left as it is, which the extension allows. The
// reference lives for ever.
const Encoding& PlainDeflateEncoding();

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_PLAIN_ENCODING_H_
