// How the request of a unary call is written in bytes.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_SERVICE_UNARY_CODEC_H_
#define CRIER_SERVER_SERVICE_UNARY_CODEC_H_

#include <google/protobuf/message.h>

#include <optional>
#include <string_view>

#include "server/service/unary_error.h"

namespace crier {

enum class UnaryCodec {
  kProto,  // protobuf's encoding
  kJson,   // protobuf's JSON mapping
};

// Makes a message of a request's bytes. An error says what the request should have been.
std::optional<UnaryError> DecodeRequest(UnaryCodec codec, std::string_view bytes,
                                        google::protobuf::Message* request);

}  // namespace crier

#endif  // CRIER_SERVER_SERVICE_UNARY_CODEC_H_
