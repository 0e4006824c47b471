// The dialect crier.v1.proto (docs/protocol.md, "crier.v1.proto"): one ClientFrame per message, in
// protobuf's encoding. The server sends the engine's own encoding (server/engine/encoding.h), so
// only a decoder is needed. Pure function: thread-safe, no socket, no state.
#ifndef CRIER_SERVER_CODEC_PROTO_BINARY_H_
#define CRIER_SERVER_CODEC_PROTO_BINARY_H_

#include <optional>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/codec/decode_error.h"

namespace crier {

// Turns one message from a client into a frame. After an error, *frame is in an unspecified, valid
// state. Strings have to be UTF-8. Nesting has protobuf's limit of 100. This function does not
// check lengths: the engine's limits apply to every transport.
//
// The outcome of an error is INVALID_MESSAGE. Its id is always empty.
std::optional<DecodeError> DecodeProtoBinary(std::string_view bytes, v1::ClientFrame* frame);

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_PROTO_BINARY_H_
