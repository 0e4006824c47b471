#include "server/websocket/framing.h"

#include <cassert>

namespace crier {
namespace {

// The header's second byte holds lengths up to this. 126 and 127 there mean that the length follows
// in two or eight bytes.
constexpr size_t kMaxShortLength = 125;
constexpr char kLengthInTwoBytes = 126;
constexpr char kLengthInEightBytes = 127;
constexpr size_t kMaxTwoByteLength = 0xFFFF;

// Writes a header to `header` and returns its size.
size_t WriteHeader(FrameStart start, size_t length, char header[kMaxFrameHeaderBytes]) {
  header[0] = static_cast<char>(start);
  if (length <= kMaxShortLength) {
    header[1] = static_cast<char>(length);
    return 2;
  }
  size_t length_bytes = 2;
  header[1] = kLengthInTwoBytes;
  if (length > kMaxTwoByteLength) {
    length_bytes = 8;
    header[1] = kLengthInEightBytes;
  }
  for (size_t i = 0; i < length_bytes; ++i) {
    header[2 + i] = static_cast<char>(uint64_t{length} >> (8 * (length_bytes - 1 - i)));
  }
  return 2 + length_bytes;
}

}  // namespace

void AppendFrame(FrameStart start, std::string_view payload, std::string* out) {
  char header[kMaxFrameHeaderBytes];
  out->append(header, WriteHeader(start, payload.size(), header));
  out->append(payload);
}

void AppendFrameSpace(std::string* out) { out->append(kFrameSpaceBytes, '\0'); }

void CloseFrame(FrameStart start, size_t at, std::string* out) {
  assert(out->size() >= at + kFrameSpaceBytes);
  const size_t length = out->size() - at - kFrameSpaceBytes;
  char header[kMaxFrameHeaderBytes];
  const size_t header_size = WriteHeader(start, length, header);
  out->replace(at, kFrameSpaceBytes, header, header_size);
}

}  // namespace crier
