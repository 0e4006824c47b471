// The dialects of a session over a WebSocket (docs/protocol.md, "WebSocket"): how the model's
// frames and events look as messages. A client chooses one by the subprotocol it offers.
//
// A new dialect is a codec and one entry in dialect.cc.
#ifndef CRIER_SERVER_WEBSOCKET_DIALECT_H_
#define CRIER_SERVER_WEBSOCKET_DIALECT_H_

#include <optional>
#include <span>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/codec/decode_error.h"
#include "server/engine/encoding.h"
#include "server/websocket/http_routes.h"

namespace crier {

// Lives for ever, one object each. Thread-safe.
struct Dialect {
  // As it stands in Sec-WebSocket-Protocol; empty: what is spoken where none is agreed on.
  std::string_view subprotocol;
  // Messages are binary, both ways; else text.
  bool binary;
  // The first event is a welcome, and the client may begin with a hello.
  bool greets;
  // What goes out; `deflated` where permessage-deflate was negotiated with the widest window.
  const Encoding* encoding;
  const Encoding* deflated;
  // What comes in, of the right kind.
  std::optional<DecodeError> (*decode_payload)(std::string_view payload, v1::ClientFrame* frame);
  // What is said to a message of the other kind.
  std::string_view wrong_kind;

  // Makes a frame of a whole message. A message of the wrong kind is UNSUPPORTED_DATA.
  std::optional<DecodeError> Decode(std::string_view payload, bool is_binary,
                                    v1::ClientFrame* frame) const;
};

std::span<const Dialect> AllDialects();

// The one without a subprotocol.
const Dialect& PlainDialect();

// What a request for an upgrade asks for: the first of the subprotocols offered that is known here,
// since the client names them in the order of its preference (RFC 6455, section 4.1). The plain
// dialect where none is offered, and where none is known: the answer then names no subprotocol
// (section 4.2.2), so a client that depends on its own, as a browser does, gives up by itself.
const Dialect& ChooseDialect(const HttpRequest& request);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_DIALECT_H_
