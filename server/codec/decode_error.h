// What a decoder says of bytes that are no frame.
#ifndef CRIER_SERVER_CODEC_DECODE_ERROR_H_
#define CRIER_SERVER_CODEC_DECODE_ERROR_H_

#include <string>

#include "server/base/outcome.h"

namespace crier {

struct DecodeError {
  Outcome outcome = Outcome::kInvalidMessage;
  // For the client's author: what is wrong, where, and what would be right. UTF-8, also where the
  // input was not, and short, however long the input.
  std::string message;
  // The frame's own id, where it could be read; as sent, of any length.
  std::string id;
};

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_DECODE_ERROR_H_
