#include "server/service/unary_codec.h"

#include <string>

#include "server/base/concat.h"
#include "server/codec/proto_json.h"

namespace crier {

std::optional<UnaryError> DecodeRequest(UnaryCodec codec, std::string_view bytes,
                                        google::protobuf::Message* request) {
  const std::string& type = request->GetDescriptor()->full_name();
  if (codec == UnaryCodec::kProto) {
    if (request->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
    return ErrorOf(Outcome::kInvalidMessage,
                   Concat({"the request is not a ", type, " in protobuf's encoding"}));
  }
  const auto error = DecodeProtoJsonMessage(
      bytes, request, "request", Concat({"send a ", type, " in protobuf's JSON mapping"}));
  if (!error) return std::nullopt;
  return ErrorOf(Outcome::kInvalidMessage, error->message);
}

}  // namespace crier
