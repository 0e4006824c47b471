// The dialect crier.v1.json (docs/protocol.md, "crier.v1.json"): ClientFrame and ServerFrame in
// protobuf's JSON mapping, one per message. Pure functions: thread-safe, no socket, no state.
//
// The mapping is protobuf's own code, so it knows whatever the proto files say. It costs 5 to 8 us
// per message (docs/decisions/0006-model-dialects.md).
#ifndef CRIER_SERVER_CODEC_PROTO_JSON_H_
#define CRIER_SERVER_CODEC_PROTO_JSON_H_

#include <optional>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/codec/decode_error.h"

namespace crier {

// Makes a frame of one message from a client. On an error *frame is left in an unspecified, valid
// state. `frame` has to come empty.
//
// Names of fields may be as in the proto files or in lowerCamelCase; unknown ones are ignored,
// whatever they hold, and so are unknown names of enum values. Objects may be nested 100 deep;
// lists are taken without recursion. What is JSON is the parser's to say: it is more lenient than
// RFC 8259 (single quotes, a comma before a bracket). Lengths are not judged here: the engine's
// limits hold for every transport.
//
// The outcome of an error is INVALID_MESSAGE, or INVALID_UTF8. Its id is always empty.
std::optional<DecodeError> DecodeProtoJson(std::string_view text, v1::ClientFrame* frame);

// Appends a ServerFrame that holds `event`: names in lowerCamelCase, 64-bit integers as strings,
// fields that have their default left out, no white space. Nothing for an event that is not set.
// REQUIRES: the event's strings are UTF-8, and it has no unknown fields.
void AppendProtoJson(const v1::Event& event, std::string* out);

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_PROTO_JSON_H_
