// Helpers that write JSON by hand, for the frames of the plain dialect.
#ifndef CRIER_SERVER_CODEC_JSON_TEXT_H_
#define CRIER_SERVER_CODEC_JSON_TEXT_H_

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace crier {

// Appends `text` as a JSON string with its quotes. Escapes only what RFC 8259, section 7, requires.
// REQUIRES: `text` is UTF-8. The model's strings are, because protobuf refuses others.
void AppendJsonString(std::string_view text, std::string* out);

// Appends a whole number in decimal.
template <std::integral T>
void AppendDecimal(T number, std::string* out) {
  char digits[20];  // of -2^63 and of 2^64 - 1
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out->append(digits, end);
}

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_JSON_TEXT_H_
