#include "server/codec/proto_binary.h"

#include <climits>

namespace crier {

std::optional<DecodeError> DecodeProtoBinary(std::string_view bytes, v1::ClientFrame* frame) {
  if (bytes.size() <= INT_MAX &&
      frame->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return std::nullopt;
  }
  return DecodeError{Outcome::kInvalidMessage,
                     "not a frame: this is not a crier.v1.ClientFrame in protobuf's encoding, or a "
                     "string in it is not UTF-8; send one whole ClientFrame per binary message, "
                     "without a length in front",
                     {}};
}

}  // namespace crier
