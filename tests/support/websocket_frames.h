// A client's frames as bytes.
#ifndef CRIER_TESTS_SUPPORT_WEBSOCKET_FRAMES_H_
#define CRIER_TESTS_SUPPORT_WEBSOCKET_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace crier::testing {

// `start`: the first byte: FIN, the reserved bits and the opcode. Masked as a client has to.
inline std::string MaskedFrame(int start, std::string_view payload) {
  // Any mask will do; one that changes bytes shows that it is taken off.
  constexpr char kMask[4] = {0x37, 0x58, 0x21, 0x4C};
  std::string frame(1, static_cast<char>(start));
  size_t length_bytes = 0;
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else {
    length_bytes = payload.size() <= 0xFFFF ? 2 : 8;
    frame += static_cast<char>(0x80 | (length_bytes == 2 ? 126 : 127));
  }
  for (size_t i = length_bytes; i > 0; --i) {
    frame += static_cast<char>(uint64_t{payload.size()} >> (8 * (i - 1)));
  }
  frame.append(kMask, sizeof(kMask));
  for (size_t i = 0; i < payload.size(); ++i) {
    frame += static_cast<char>(payload[i] ^ kMask[i % sizeof(kMask)]);
  }
  return frame;
}

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_WEBSOCKET_FRAMES_H_
