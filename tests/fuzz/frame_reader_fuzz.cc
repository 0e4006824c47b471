// Whatever bytes come in, and however they are cut, the reader returns the same messages, which are
// ones that RFC 6455 allows, and keeps nothing behind.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "server/base/utf8.h"
#include "server/websocket/frame_reader.h"

namespace {

using crier::FrameReader;
using crier::Received;
using crier::ReceivedKind;

// assert is off in optimised builds, which is how fuzzers are built.
void Require(bool condition) {
  if (!condition) std::abort();
}

constexpr size_t kMaxMessage = 1000;
constexpr size_t kMaxControlPayload = 125;

struct Event {
  ReceivedKind kind;
  std::string payload;
  uint16_t close_code;
  friend bool operator==(const Event&, const Event&) = default;
};

void Check(const Received& received) {
  switch (received.kind) {
    case ReceivedKind::kText:
      Require(crier::FirstInvalidUtf8(received.payload) == received.payload.size());
      [[fallthrough]];
    case ReceivedKind::kBinary:
      Require(received.payload.size() <= kMaxMessage);
      break;
    case ReceivedKind::kPing:
    case ReceivedKind::kPong:
    case ReceivedKind::kClose:
      Require(received.payload.size() <= kMaxControlPayload);
      break;
    case ReceivedKind::kError:
      Require(!received.problem.empty());
      Require(received.close_code == 1002 || received.close_code == 1007 ||
              received.close_code == 1009);
      break;
    case ReceivedKind::kNothing:
      break;
  }
}

// `next_size`: of the next piece. `skip_after`: messages are skipped from this event on.
template <class NextSize>
std::vector<Event> Read(const std::string& input, bool deflate, size_t skip_after,
                        NextSize next_size) {
  static crier::MemoryBudget budget(1 << 30);
  static crier::ShardMetrics metrics;
  static crier::MemoryMeter memory(&budget, &metrics);
  static crier::FrameReaderShared shared{.memory = &memory};
  auto& counted = metrics.memory[static_cast<size_t>(crier::MemoryKind::kInput)];

  std::vector<Event> events;
  {
    FrameReader reader(&shared, {.max_message_bytes = kMaxMessage, .deflate = deflate});
    for (size_t at = 0; at < input.size();) {
      // On the heap, so that a sanitizer sees who reads past its end.
      const size_t size = std::min(next_size(), input.size() - at);
      std::vector<char> piece(input.begin() + static_cast<ptrdiff_t>(at),
                              input.begin() + static_cast<ptrdiff_t>(at + size));
      at += size;
      std::span<char> rest(piece);
      while (true) {
        if (events.size() == skip_after) reader.SkipMessages();
        const Received received = reader.Read(&rest);
        if (received.kind == ReceivedKind::kNothing) break;
        Check(received);
        events.push_back({received.kind, std::string(received.payload), received.close_code});
        if (received.kind == ReceivedKind::kError) {
          at = input.size();
          break;
        }
      }
      Require(at == input.size() || rest.empty());
    }
  }
  Require(counted.value() == 0);
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool deflate = (data[0] & 1) != 0;
  const size_t skip_after = (data[0] & 2) != 0 ? data[0] >> 2 : SIZE_MAX;
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<Event> whole =
      Read(input, deflate, skip_after, [&input] { return input.size(); });
  std::minstd_rand random(data[0]);
  std::vector<Event> cut =
      Read(input, deflate, skip_after, [&random] { return 1 + random() % (1 + random() % 40); });
  // Where inflated bytes are wrong in two ways, the cuts decide which is seen first.
  if (deflate && !whole.empty() && !cut.empty() && whole.back().kind == ReceivedKind::kError &&
      cut.back().kind == ReceivedKind::kError) {
    cut.back().close_code = whole.back().close_code;
  }
  Require(whole == cut);
  return 0;
}
