// The dialects of a session over a WebSocket (docs/protocol.md, "WebSocket"). A dialect says how
// the model's frames and events look as messages. A client chooses one by the subprotocol that it
// offers.
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

// One object per dialect, which lives for ever. Thread-safe.
struct Dialect {
  // The name in Sec-WebSocket-Protocol. Empty: the dialect that is used if none is agreed on.
  std::string_view subprotocol;
  // True: messages are binary in both directions. Else they are text.
  bool binary;
  // True: the first event is a welcome, and the client may begin with a hello.
  bool greets;
  // The encoding to clients. `deflated`: if permessage-deflate was negotiated with the widest
  // window.
  const Encoding* encoding;
  const Encoding* deflated;
  // Decodes messages of the right kind.
  std::optional<DecodeError> (*decode_payload)(std::string_view payload, v1::ClientFrame* frame);
  // The error text for a message of the other kind.
  std::string_view wrong_kind;

  // Makes a frame of a whole message. A message of the wrong kind is UNSUPPORTED_DATA.
  std::optional<DecodeError> Decode(std::string_view payload, bool is_binary,
                                    v1::ClientFrame* frame) const;
};

std::span<const Dialect> AllDialects();

// The dialect without a subprotocol.
const Dialect& PlainDialect();

// The dialect for an upgrade request: the first offered subprotocol that is known here, since the
// client names them in the order of its preference (RFC 6455, section 4.1). If none is offered or
// known, it is the plain dialect. The answer then names no subprotocol (section 4.2.2), so a client
// that depends on its own, as a browser does, fails the connection by itself.
const Dialect& ChooseDialect(const HttpRequest& request);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_DIALECT_H_
