#include "server/websocket/frame_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "server/codec/utf8.h"

namespace crier {
namespace {

constexpr size_t kMaxControlPayload = 125;
constexpr size_t kMaskBytes = 4;

// The first byte: FIN set, nothing reserved.
ReceivedKind KindOf(uint8_t first) {
  switch (first) {
    case 0x81:
      return ReceivedKind::kText;
    case 0x82:
      return ReceivedKind::kBinary;
    case 0x89:
      return ReceivedKind::kPing;
    case 0x8A:
      return ReceivedKind::kPong;
    default:
      return ReceivedKind::kUnusual;
  }
}

bool IsControl(ReceivedKind kind) {
  return kind == ReceivedKind::kPing || kind == ReceivedKind::kPong;
}

using Mask = std::array<char, kMaskBytes>;

// Puts the mask on, or takes it off: it is the same.
void ApplyMask(const Mask& mask, std::span<char> payload) {
  uint64_t wide_mask;
  std::memcpy(&wide_mask, mask.data(), kMaskBytes);
  std::memcpy(reinterpret_cast<char*>(&wide_mask) + kMaskBytes, mask.data(), kMaskBytes);
  size_t at = 0;
  for (; at + sizeof(wide_mask) <= payload.size(); at += sizeof(wide_mask)) {
    uint64_t word;
    std::memcpy(&word, payload.data() + at, sizeof(word));
    word ^= wide_mask;
    std::memcpy(payload.data() + at, &word, sizeof(word));
  }
  for (; at < payload.size(); ++at) {
    payload[at] = static_cast<char>(payload[at] ^ mask[at % kMaskBytes]);
  }
}

bool IsUtf8(std::string_view text) { return FirstInvalidUtf8(text) == text.size(); }

// A header as far as the mask.
struct Header {
  size_t size = 0;  // with the mask
  uint64_t payload = 0;
  bool well_formed = true;  // the shortest form, and no sign bit
};

// REQUIRES: two bytes. size == 0: there are too few for the length.
Header ReadLength(std::span<const char> bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t length = byte(1) & 0x7F;
  if (length < 126) return {.size = 2 + kMaskBytes, .payload = length};
  const size_t more = length == 126 ? 2 : 8;
  if (bytes.size() < 2 + more) return {};
  uint64_t payload = 0;
  for (size_t i = 0; i < more; ++i) payload = payload << 8 | byte(2 + i);
  return {.size = 2 + more + kMaskBytes,
          .payload = payload,
          .well_formed = payload > (length == 126 ? 125u : 0xFFFFu) && payload >> 63 == 0};
}

// A text that cannot become valid any more is for Beast, which says so without waiting for the
// rest; and so is one that is cut inside a character, which is rare.
bool PartIsUtf8(const Mask& mask, std::span<char> part) {
  ApplyMask(mask, part);
  const bool valid = IsUtf8({part.data(), part.size()});
  ApplyMask(mask, part);
  return valid;
}

}  // namespace

ReceivedFrame ReadFrame(std::span<char> bytes, size_t max_payload) {
  constexpr ReceivedFrame kUnusual{.kind = ReceivedKind::kUnusual};
  constexpr ReceivedFrame kIncomplete{.kind = ReceivedKind::kIncomplete};
  if (bytes.empty()) return kIncomplete;
  const ReceivedKind kind = KindOf(static_cast<uint8_t>(bytes[0]));
  if (kind == ReceivedKind::kUnusual) return kUnusual;
  if (bytes.size() < 2) return kIncomplete;
  if ((static_cast<uint8_t>(bytes[1]) & 0x80) == 0) return kUnusual;
  const Header header = ReadLength(bytes);
  if (header.size == 0) return IsControl(kind) ? kUnusual : kIncomplete;
  if (!header.well_formed) return kUnusual;
  if (header.payload > (IsControl(kind) ? kMaxControlPayload : max_payload)) return kUnusual;

  const size_t size = header.size + static_cast<size_t>(header.payload);
  const ReceivedFrame incomplete{.kind = ReceivedKind::kIncomplete, .size = size};
  if (bytes.size() < header.size) return incomplete;
  Mask mask;
  std::memcpy(mask.data(), bytes.data() + header.size - kMaskBytes, kMaskBytes);
  const std::span<char> payload =
      bytes.subspan(header.size, std::min(size, bytes.size()) - header.size);
  if (bytes.size() < size) {
    return kind == ReceivedKind::kText && !PartIsUtf8(mask, payload) ? kUnusual : incomplete;
  }
  ApplyMask(mask, payload);
  const std::string_view unmasked(payload.data(), payload.size());
  if (kind == ReceivedKind::kText && !IsUtf8(unmasked)) {
    ApplyMask(mask, payload);
    return kUnusual;
  }
  return {.kind = kind, .size = size, .payload = unmasked};
}

}  // namespace crier
