// The plain dialect (docs/protocol.md, "Plain dialect"): one flat JSON object per message, the form
// that the k6 scripts speak. Pure functions: thread-safe, no socket, no state.
#ifndef CRIER_SERVER_CODEC_PLAIN_JSON_H_
#define CRIER_SERVER_CODEC_PLAIN_JSON_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/codec/decode_error.h"

namespace crier {

// Objects and arrays inside each other, the message's own object included. Nothing that the dialect
// knows is nested: what is deeper stands under unknown keys.
inline constexpr size_t kPlainJsonMaxDepth = 32;

// Makes a frame of one message from a client. On an error *frame is left in an unspecified, valid
// state. `frame` is taken over as it is, so it has to come empty.
//
// direct, broadcast, ping and pong become ClientFrame.publish, the others the frame of their name.
// Keys are looked for on the top level only; unknown ones are ignored, whatever they hold; of a key
// that comes twice the last counts. Text has to be strict JSON in strict UTF-8, no half surrogate
// escapes. Lengths are not judged here: the engine's limits hold for every transport.
//
// The outcome of an error is INVALID_MESSAGE, or INVALID_UTF8.
std::optional<DecodeError> DecodePlainJson(std::string_view text, v1::ClientFrame* frame);

// Appends the message that tells a client of `event`; nothing where this dialect has none (welcome,
// drain, pong, a message without an action). `server_name` is what a broadcast without data says.
void AppendPlainJson(const v1::Event& event, std::string_view server_name, std::string* out);

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_PLAIN_JSON_H_
