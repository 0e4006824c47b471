#include "server/base/utf8.h"

#include <cstdint>
#include <cstring>

namespace crier {
namespace {

struct Sequence {
  size_t length = 0;   // as its first byte says; 0: no sequence begins with these bytes
  bool whole = false;  // all of them are here
};

// What is at the start of `text`, which is not empty.
Sequence ReadSequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const size_t here = text.size() < length ? text.size() : length;
  // Only the second byte's range depends on the first.
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  if (here > 1 && (byte(1) < low || byte(1) > high)) return {};
  for (size_t i = 2; i < here; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
  }
  return {length, here == length};
}

// Whether the eight bytes from here on are ASCII.
bool EightAscii(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return (word & 0x8080808080808080u) == 0;
}

}  // namespace

size_t FirstInvalidUtf8(std::string_view text) {
  const char* const data = text.data();
  const size_t size = text.size();
  size_t at = 0;
  while (true) {
    while (size - at >= sizeof(uint64_t) && EightAscii(data + at)) at += sizeof(uint64_t);
    // The end, or a byte that is not ASCII, is near.
    while (at < size && static_cast<uint8_t>(data[at]) < 0x80) ++at;
    if (at == size) return at;
    const Sequence sequence = ReadSequence(text.substr(at));
    if (!sequence.whole) return at;
    at += sequence.length;
  }
}

bool IsCutUtf8(std::string_view text) {
  if (text.empty()) return false;
  const Sequence sequence = ReadSequence(text);
  return sequence.length > text.size();
}

std::string_view Utf8Prefix(std::string_view text, size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<uint8_t>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit);
}

}  // namespace crier
