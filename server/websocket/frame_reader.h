// WebSocket frames from client to server, as bytes (RFC 6455, section 5.2): the frames that nearly
// every client sends nearly always. What is not one of these is for Beast to judge, which knows the
// whole protocol.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_FRAME_READER_H_
#define CRIER_SERVER_WEBSOCKET_FRAME_READER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace crier {

enum class ReceivedKind : uint8_t {
  // A frame of one of the four kinds below, as far as can be seen, which goes on behind the bytes.
  kIncomplete,
  // Whatever else begins here: a fragment, a close frame, reserved bits or opcodes, no mask, a
  // length that is too long or not in its shortest form, text that is not UTF-8.
  kUnusual,
  // Whole messages.
  kText,
  kBinary,
  kPing,
  kPong,
};

struct ReceivedFrame {
  ReceivedKind kind;
  // The whole frame, header included. kIncomplete: 0 where it is not known yet. kUnusual: 0.
  size_t size = 0;
  // Without the mask, in place. Of the last four kinds only; text is valid UTF-8.
  std::string_view payload = {};
};

// Reads the frame that `bytes` begin with. The payload of a frame that is of the last four kinds is
// unmasked in place; else the bytes stay as they are. `max_payload`: of a data frame.
ReceivedFrame ReadFrame(std::span<char> bytes, size_t max_payload);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_FRAME_READER_H_
