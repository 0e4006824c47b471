// Keeps a line that clients can cause from filling the log.
#ifndef CRIER_SERVER_BASE_LOG_LIMIT_H_
#define CRIER_SERVER_BASE_LOG_LIMIT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "server/base/clock.h"

namespace crier {

// Lets one line through in a second and counts the others. Thread-safe.
class LogLimit {
 public:
  static constexpr std::chrono::seconds kInterval{1};

  // nullopt: leave this line out. Else write it, and say how many were left out since the last one.
  std::optional<uint64_t> Admit(TimePoint now) {
    TimePoint next = next_.load(std::memory_order_relaxed);
    if (now < next || !next_.compare_exchange_strong(next, now + kInterval)) {
      left_out_.fetch_add(1, std::memory_order_relaxed);
      return std::nullopt;
    }
    return left_out_.exchange(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<TimePoint> next_{TimePoint::min()};
  std::atomic<uint64_t> left_out_{0};
};

}  // namespace crier

#endif  // CRIER_SERVER_BASE_LOG_LIMIT_H_
