#include "server/codec/json_text.h"

#include <cstdint>
#include <cstring>

namespace crier {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101;
constexpr uint64_t kHighs = 0x8080808080808080;

constexpr bool MustEscape(uint8_t c) { return c < 0x20 || c == '"' || c == '\\'; }

// True if one of the eight bytes must be escaped. "Bit Twiddling Hacks", S. E. Anderson:
// "Determine if a word has a zero byte", "... has a byte less than n".
constexpr bool AnyMustEscape(uint64_t word) {
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t backslash = word ^ (kOnes * '\\');
  const uint64_t control = (word - kOnes * 0x20) & ~word;
  return ((((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) | control) & kHighs) !=
         0;
}

// The number of bytes at the start of `text` that can be copied as they are.
size_t CleanPrefix(std::string_view text) {
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= text.size(); i += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, sizeof(word));
    if (AnyMustEscape(word)) break;
  }
  while (i < text.size() && !MustEscape(static_cast<uint8_t>(text[i]))) ++i;
  return i;
}

void AppendEscape(uint8_t c, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\b':
      out->append("\\b");
      return;
    case '\f':
      out->append("\\f");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 0xF]);
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  while (true) {
    const size_t clean = CleanPrefix(text);
    out->append(text.data(), clean);
    if (clean == text.size()) break;
    AppendEscape(static_cast<uint8_t>(text[clean]), out);
    text.remove_prefix(clean + 1);
  }
  out->push_back('"');
}

}  // namespace crier
