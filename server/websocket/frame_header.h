// The header of a WebSocket frame from a client (RFC 6455, section 5.2), and its mask.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_FRAME_HEADER_H_
#define CRIER_SERVER_WEBSOCKET_FRAME_HEADER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace crier {

enum class Opcode : uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

// The key of a frame, from the payload's next byte on.
using FrameMask = std::array<char, 4>;

struct FrameHeader {
  Opcode opcode = Opcode::kContinuation;
  bool fin = false;
  bool compressed = false;  // RSV1 (RFC 7692, section 6)
  uint8_t size = 0;         // of the header with its mask
  uint64_t payload = 0;     // bytes
  FrameMask mask{};

  bool is_control() const { return static_cast<uint8_t>(opcode) >= 0x8; }
};

// The two bytes that each has, the length in eight more, the mask.
inline constexpr size_t kMaxClientHeaderBytes = 2 + 8 + 4;

struct HeaderRead {
  enum class Kind : uint8_t { kWhole, kCut, kWrong };
  Kind kind;
  // kWrong: what is wrong, for people.
  std::string_view problem = {};
};

// Reads the header at the start of `bytes` into *header. What is wrong by itself is found as soon
// as the bytes are there that say so: reserved bits and opcodes, no mask, a length not in its
// shortest form, a control frame that is too long or a fragment. RSV1 is left to the caller, but
// for frames that cannot have it (control frames, continuations).
HeaderRead ReadFrameHeader(std::span<const char> bytes, FrameHeader* header);

// Masks or unmasks in place: it is the same operation.
void ApplyMask(const FrameMask& mask, std::span<char> payload);
// The mask of what follows the first `bytes` of a payload.
FrameMask MaskBehind(const FrameMask& mask, size_t bytes);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_FRAME_HEADER_H_
