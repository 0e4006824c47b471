#include "server/websocket/frame_header.h"

#include <cstring>

namespace crier {
namespace {

using Kind = HeaderRead::Kind;

constexpr uint8_t kFin = 0x80;
constexpr uint8_t kRsv1 = 0x40;
constexpr uint8_t kRsv2And3 = 0x30;
constexpr uint8_t kMasked = 0x80;
constexpr uint64_t kMaxControlPayload = 125;
// Values of the length's seven bits that mean: it follows, in two bytes or in eight.
constexpr uint8_t kInTwoBytes = 126;
constexpr uint8_t kInEightBytes = 127;

constexpr HeaderRead Wrong(std::string_view problem) {
  return {.kind = Kind::kWrong, .problem = problem};
}

bool IsOpcode(uint8_t value) { return value <= 0x2 || (value >= 0x8 && value <= 0xA); }

// What the first byte says.
HeaderRead ReadStart(uint8_t byte, FrameHeader* header) {
  const uint8_t opcode = byte & 0x0F;
  if (!IsOpcode(opcode)) return Wrong("a reserved opcode");
  header->opcode = static_cast<Opcode>(opcode);
  header->fin = (byte & kFin) != 0;
  header->compressed = (byte & kRsv1) != 0;
  if ((byte & kRsv2And3) != 0) return Wrong("a reserved bit is set");
  if (header->compressed && (header->is_control() || header->opcode == Opcode::kContinuation)) {
    return Wrong("RSV1 is set in a frame that does not begin a message");
  }
  if (header->is_control() && !header->fin) return Wrong("a control frame in fragments");
  return {.kind = Kind::kWhole};
}

}  // namespace

HeaderRead ReadFrameHeader(std::span<const char> bytes, FrameHeader* header) {
  constexpr HeaderRead kCut{.kind = Kind::kCut};
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (bytes.empty()) return kCut;
  if (const HeaderRead start = ReadStart(byte(0), header); start.kind == Kind::kWrong) return start;
  if (bytes.size() < 2) return kCut;
  if ((byte(1) & kMasked) == 0) return Wrong("a frame without a mask");
  const uint8_t length = byte(1) & 0x7F;
  if (header->is_control() && length > kMaxControlPayload) {
    return Wrong("a control frame over 125 bytes");
  }
  size_t size = 2;
  header->payload = length;
  if (length >= kInTwoBytes) {
    const size_t more = length == kInEightBytes ? 8 : 2;
    if (bytes.size() < size + more) return kCut;
    header->payload = 0;
    for (size_t i = 0; i < more; ++i) header->payload = header->payload << 8 | byte(size + i);
    size += more;
    if (header->payload >> 63 != 0) return Wrong("a length with its highest bit set");
    if (header->payload <= (length == kInTwoBytes ? kMaxControlPayload : 0xFFFF)) {
      return Wrong("a length that is not in its shortest form");
    }
  }
  if (bytes.size() < size + header->mask.size()) return kCut;
  std::memcpy(header->mask.data(), bytes.data() + size, header->mask.size());
  header->size = static_cast<uint8_t>(size + header->mask.size());
  return {.kind = Kind::kWhole};
}

void ApplyMask(const FrameMask& mask, std::span<char> payload) {
  uint64_t wide;
  std::memcpy(&wide, mask.data(), mask.size());
  std::memcpy(reinterpret_cast<char*>(&wide) + mask.size(), mask.data(), mask.size());
  size_t at = 0;
  for (; at + sizeof(wide) <= payload.size(); at += sizeof(wide)) {
    uint64_t word;
    std::memcpy(&word, payload.data() + at, sizeof(word));
    word ^= wide;
    std::memcpy(payload.data() + at, &word, sizeof(word));
  }
  for (; at < payload.size(); ++at) {
    payload[at] = static_cast<char>(payload[at] ^ mask[at % mask.size()]);
  }
}

FrameMask MaskBehind(const FrameMask& mask, size_t bytes) {
  FrameMask behind;
  for (size_t i = 0; i < mask.size(); ++i) behind[i] = mask[(bytes + i) % mask.size()];
  return behind;
}

}  // namespace crier
