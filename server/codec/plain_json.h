// The plain dialect (docs/protocol.md, "Plain dialect"): one flat JSON object per message. The k6
// scripts speak it. Pure functions: thread-safe, no socket, no state.
#ifndef CRIER_SERVER_CODEC_PLAIN_JSON_H_
#define CRIER_SERVER_CODEC_PLAIN_JSON_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/codec/decode_error.h"

namespace crier {

// How deep objects and arrays may be nested, including the message's own object. The dialect's own
// values are not nested, so deeper ones can only belong to unknown keys.
inline constexpr size_t kPlainJsonMaxDepth = 32;

// Turns one message from a client into a frame. After an error, *frame is in an unspecified, valid
// state. `frame` has to be empty before the call.
//
// direct, broadcast, ping and pong become ClientFrame.publish, the others the frame of their name;
// auth has its token in "body".
// Only keys on the top level count. Unknown keys are ignored, whatever they hold. If a key comes
// twice, the last one counts. The text has to be strict JSON in strict UTF-8, without half
// surrogate escapes. This function does not check lengths: the engine's limits apply to every
// transport.
//
// The outcome of an error is INVALID_MESSAGE, or INVALID_UTF8.
std::optional<DecodeError> DecodePlainJson(std::string_view text, v1::ClientFrame* frame);

// Appends the message for `event`. Appends nothing if this dialect has no message for it (welcome,
// drain, pong, a message without an action). A broadcast without data carries `server_name`.
void AppendPlainJson(const v1::Event& event, std::string_view server_name, std::string* out);

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_PLAIN_JSON_H_
