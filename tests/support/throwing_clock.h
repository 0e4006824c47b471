// The machine's clock, which throws when a test tells it to: a way to have an exception in the
// middle of whatever asks for the time.
#ifndef CRIER_TESTS_SUPPORT_THROWING_CLOCK_H_
#define CRIER_TESTS_SUPPORT_THROWING_CLOCK_H_

#include <atomic>
#include <cstdint>
#include <new>

#include "server/base/clock.h"

namespace crier {

// Thread-safe.
class ThrowingClock final : public Clock {
 public:
  TimePoint Now() const override {
    Take(&now_throws);
    return Clock::Real().Now();
  }
  // Asked when a message has arrived, and for little else.
  int64_t WallNanos() const override {
    Take(&wall_throws);
    return Clock::Real().WallNanos();
  }

  // So many more calls throw std::bad_alloc.
  mutable std::atomic<int> now_throws{0};
  mutable std::atomic<int> wall_throws{0};

 private:
  static void Take(std::atomic<int>* throws) {
    int left = throws->load();
    while (left > 0 && !throws->compare_exchange_weak(left, left - 1)) continue;
    if (left > 0) throw std::bad_alloc();
  }
};

}  // namespace crier

#endif  // CRIER_TESTS_SUPPORT_THROWING_CLOCK_H_
