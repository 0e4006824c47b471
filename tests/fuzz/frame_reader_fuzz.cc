// Whatever bytes come in, a frame that is taken is one that RFC 6455 allows, and bytes that are not
// taken are left as they were.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/codec/utf8.h"
#include "server/websocket/frame_reader.h"

namespace {

// assert is off in optimised builds, which is how fuzzers are built.
void Require(bool condition) {
  if (!condition) std::abort();
}

constexpr size_t kMaxPayload = 1000;

void CheckTaken(const crier::ReceivedFrame& frame, const std::string& before,
                const std::string& after) {
  Require(frame.size <= before.size() && frame.payload.size() < frame.size);
  const size_t payload_at = frame.size - frame.payload.size();
  Require(frame.payload.data() == after.data() + payload_at);
  Require((static_cast<uint8_t>(before[1]) & 0x80) != 0);
  // Outside of the payload nothing has changed, and inside only by the mask.
  for (size_t i = 0; i < before.size(); ++i) {
    const bool inside = i >= payload_at && i < frame.size;
    const int mask = inside ? before[payload_at - 4 + (i - payload_at) % 4] : 0;
    Require(static_cast<char>(after[i] ^ mask) == before[i]);
  }
  const bool control =
      frame.kind == crier::ReceivedKind::kPing || frame.kind == crier::ReceivedKind::kPong;
  Require(frame.payload.size() <= (control ? 125 : kMaxPayload));
  if (frame.kind == crier::ReceivedKind::kText) {
    Require(crier::FirstInvalidUtf8(frame.payload) == frame.payload.size());
  }
}

// A part of a frame that is taken is never the beginning of another frame.
void CheckPart(std::string part, const crier::ReceivedFrame& whole) {
  const crier::ReceivedFrame frame = crier::ReadFrame({part.data(), part.size()}, kMaxPayload);
  if (frame.kind == crier::ReceivedKind::kUnusual) {
    Require(whole.kind == crier::ReceivedKind::kText);  // a character is cut
  } else {
    Require(frame.kind == crier::ReceivedKind::kIncomplete);
    Require(frame.size == 0 || frame.size == whole.size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  std::string rest = input;
  while (true) {
    const std::string before = rest;
    const crier::ReceivedFrame frame = crier::ReadFrame({rest.data(), rest.size()}, kMaxPayload);
    if (frame.kind == crier::ReceivedKind::kUnusual ||
        frame.kind == crier::ReceivedKind::kIncomplete) {
      Require(rest == before);
      Require(frame.size == 0 || frame.size > rest.size());
      return 0;
    }
    CheckTaken(frame, before, rest);
    for (size_t cut = 0; cut < frame.size; cut += cut < 16 ? 1 : 61) {
      CheckPart(before.substr(0, cut), frame);
    }
    rest = before.substr(frame.size);
  }
}
