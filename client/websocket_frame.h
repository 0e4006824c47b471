// The frames of RFC 6455, read and written by a client.
#ifndef CRIER_CLIENT_WEBSOCKET_FRAME_H_
#define CRIER_CLIENT_WEBSOCKET_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace crier::client {

enum class Opcode : uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

struct FrameHeader {
  bool final = false;
  Opcode opcode = Opcode::kText;
  size_t header_size = 0;
  uint64_t payload_size = 0;
};

enum class HeaderResult {
  kOk,
  kIncomplete,  // More bytes are needed.
  kInvalid,     // A server must not send it: masked, reserved bits or opcode, a long control frame.
};

// Reads the header of a frame that a server sent. Inline: it runs once per frame of the benchmark.
inline HeaderResult ReadServerFrameHeader(const char* data, size_t size, FrameHeader* header) {
  if (size < 2) return HeaderResult::kIncomplete;
  const auto* bytes = reinterpret_cast<const unsigned char*>(data);
  header->final = (bytes[0] & 0x80) != 0;
  header->opcode = static_cast<Opcode>(bytes[0] & 0x0F);
  const unsigned length = bytes[1];
  if ((bytes[0] & 0x70) != 0 || (length & 0x80) != 0) return HeaderResult::kInvalid;
  const unsigned opcode = bytes[0] & 0x0F;
  if ((opcode > 0x2 && opcode < 0x8) || opcode > 0xA) return HeaderResult::kInvalid;
  if (opcode >= 0x8 && (!header->final || length > 125)) return HeaderResult::kInvalid;
  if (length < 126) {
    header->header_size = 2;
    header->payload_size = length;
  } else if (length == 126) {
    if (size < 4) return HeaderResult::kIncomplete;
    header->header_size = 4;
    header->payload_size = static_cast<uint64_t>(bytes[2]) << 8 | bytes[3];
  } else {
    if (size < 10) return HeaderResult::kIncomplete;
    header->header_size = 10;
    header->payload_size = 0;
    for (int i = 2; i < 10; ++i) header->payload_size = header->payload_size << 8 | bytes[i];
    if (header->payload_size >> 63) return HeaderResult::kInvalid;
  }
  return HeaderResult::kOk;
}

// Appends one whole frame, masked with `mask`, since clients have to mask.
void AppendClientFrame(Opcode opcode, std::string_view payload, uint32_t mask, std::string* out);

// Appends a close frame with a code and a reason (at most 123 bytes).
void AppendCloseFrame(uint16_t code, std::string_view reason, uint32_t mask, std::string* out);

// The code of a close frame's payload. 1005 (no code) if it has none.
uint16_t CloseCode(std::string_view payload);

// The Sec-WebSocket-Accept of the answer to this Sec-WebSocket-Key.
std::string AcceptKey(std::string_view key);

// A fresh Sec-WebSocket-Key.
std::string NewKey();

// The request that asks for an upgrade. `protocols` and `token` (a bearer's) may be empty.
std::string UpgradeRequest(std::string_view host, std::string_view path, std::string_view key,
                           std::string_view protocols, std::string_view token = {});

// A server's answer to UpgradeRequest.
struct UpgradeAnswer {
  int status = 0;        // 101: it agreed.
  std::string protocol;  // Of those offered; empty: none.
  std::string problem;   // Empty: a valid upgrade.
};

// Reads an HTTP response's head, without the empty line that ends it.
UpgradeAnswer ReadUpgradeAnswer(std::string_view head, std::string_view expected_accept);

}  // namespace crier::client

#endif  // CRIER_CLIENT_WEBSOCKET_FRAME_H_
