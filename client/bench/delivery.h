// The parts of one event that the benchmark needs.
#ifndef CRIER_CLIENT_BENCH_DELIVERY_H_
#define CRIER_CLIENT_BENCH_DELIVERY_H_

#include <cstdint>
#include <string_view>

#include "crier/v1/message.pb.h"

namespace crier::bench {

enum class DeliveryKind : uint8_t {
  kBroadcast,
  kDirect,
  kGap,
  kError,
  kOther,  // Anything else that is well formed: welcome, ack, ping, presence, drain.
};

// The views are valid only during the call that passes the delivery.
struct Delivery {
  DeliveryKind kind = DeliveryKind::kOther;
  // True if a gap is in the session's mailbox and not in a topic.
  bool mailbox = false;
  // Broadcast: its place in its topic's log.
  uint64_t offset = 0;
  // Broadcast and gap: the life of that log.
  uint64_t epoch = 0;
  // Broadcast and direct: the number at the start of the body. -1 if there is none.
  int64_t stamp = -1;
  // Gap: the missing offsets, both included.
  uint64_t first = 0;
  uint64_t last = 0;
  std::string_view topic;
  // Error: the outcome's name, and what is wrong.
  std::string_view outcome;
  std::string_view text;
};

// The number at the start of a body. -1 if there is none. Reads at most 19 digits: a longer number
// is not from our clock, and would not fit.
inline int64_t LeadingNumber(std::string_view body) {
  uint64_t value = 0;
  size_t digits = 0;
  while (digits < body.size() && digits < 19) {
    const auto digit = static_cast<unsigned char>(body[digits] - '0');
    if (digit > 9) break;
    value = value * 10 + digit;
    ++digits;
  }
  return digits == 0 ? -1 : static_cast<int64_t>(value);
}

// The views point into `event`.
Delivery ToDelivery(const v1::Event& event);

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_DELIVERY_H_
