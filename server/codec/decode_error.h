// A decoder's error for bytes that are not a valid frame.
#ifndef CRIER_SERVER_CODEC_DECODE_ERROR_H_
#define CRIER_SERVER_CODEC_DECODE_ERROR_H_

#include <string>

#include "server/base/outcome.h"

namespace crier {

struct DecodeError {
  Outcome outcome = Outcome::kInvalidMessage;
  // For the client's author: what is wrong, where, and what would be right. Always valid UTF-8 and
  // short, even if the input was not.
  std::string message;
  // The frame's own id as sent, of any length. Empty if it could not be read.
  std::string id;
};

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_DECODE_ERROR_H_
