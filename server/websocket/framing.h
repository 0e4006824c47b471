// Writes WebSocket frames from server to client (RFC 6455, section 5.2). They are never masked, so
// a frame is the same for every client, and several frames in a row can be sent as they are.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_FRAMING_H_
#define CRIER_SERVER_WEBSOCKET_FRAMING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace crier {

// The first byte of a frame that is a whole message or control frame (FIN is set).
enum class FrameStart : uint8_t {
  kText = 0x81,
  kBinary = 0x82,
  kClose = 0x88,
  kPing = 0x89,
  kPong = 0x8A,
  // With RSV1: the payload is deflated, without the four bytes that RFC 7692, section 7.2.1,
  // removes.
  kCompressedText = 0xC1,
  kCompressedBinary = 0xC2,
};

// A header: start, and the payload's length in its shortest form.
inline constexpr size_t kMaxFrameHeaderBytes = 10;

// Appends a frame.
void AppendFrame(FrameStart start, std::string_view payload, std::string* out);

// Makes a frame of a payload that is already at the end of *out, so that an encoder can write
// directly to its place. Usage: AppendFrameSpace(out), append the payload, CloseFrame(start, at,
// out), with at = out->size() before the first call. A payload below 126 bytes is not moved.
void AppendFrameSpace(std::string* out);
void CloseFrame(FrameStart start, size_t at, std::string* out);
// The position at which the payload begins.
inline constexpr size_t kFrameSpaceBytes = 2;

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_FRAMING_H_
