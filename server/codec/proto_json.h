// The dialect crier.v1.json (docs/protocol.md, "crier.v1.json"): ClientFrame and ServerFrame in
// protobuf's JSON mapping, one per message. Pure functions: thread-safe, no socket, no state.
//
// The mapping is protobuf's own code, so it covers everything in the proto files. It costs 5 to 8
// us per message (docs/decisions/0006-model-dialects.md).
#ifndef CRIER_SERVER_CODEC_PROTO_JSON_H_
#define CRIER_SERVER_CODEC_PROTO_JSON_H_

#include <optional>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/codec/decode_error.h"

namespace crier {

// Turns one message from a client into a frame. After an error, *frame is in an unspecified, valid
// state. `frame` has to be empty before the call.
//
// Field names may be as in the proto files or in lowerCamelCase. Unknown fields are ignored,
// whatever they hold, and so are unknown names of enum values. Objects may be nested 100 deep.
// Lists are read without recursion. The parser decides what JSON is: it is more lenient than RFC
// 8259 (single quotes, a comma before a bracket). This function does not check lengths: the
// engine's limits apply to every transport.
//
// The outcome of an error is INVALID_MESSAGE, or INVALID_UTF8. Its id is always empty.
std::optional<DecodeError> DecodeProtoJson(std::string_view text, v1::ClientFrame* frame);

// The same for any message. `what` it is, and what would be `right`, are said to people.
std::optional<DecodeError> DecodeProtoJsonMessage(std::string_view text,
                                                  google::protobuf::Message* message,
                                                  std::string_view what, std::string_view right);

// Appends a ServerFrame that holds `event`: names in lowerCamelCase, 64-bit integers as strings,
// no fields with default values, no white space. Appends nothing for an event that is not set.
// REQUIRES: the event's strings are UTF-8, and it has no unknown fields.
void AppendProtoJson(const v1::Event& event, std::string* out);

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_PROTO_JSON_H_
