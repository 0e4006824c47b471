// A clock that only moves when a test moves it.
#ifndef CRIER_TESTS_SUPPORT_FAKE_CLOCK_H_
#define CRIER_TESTS_SUPPORT_FAKE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>

#include "server/base/clock.h"

namespace crier {

// Thread-safe.
class FakeClock final : public Clock {
 public:
  TimePoint Now() const override {
    if (throws_.exchange(false)) throw std::bad_alloc();
    return TimePoint(Duration(nanos_.load()));
  }
  // The wall clock began at a fixed moment in 2024.
  int64_t WallNanos() const override { return 1'713'910'000'000'000'000 + nanos_.load(); }

  void Advance(std::chrono::nanoseconds by) { nanos_.fetch_add(by.count()); }

  // The next call of Now throws std::bad_alloc: an exception in the middle of what asks for it.
  void ThrowOnce() { throws_ = true; }

 private:
  mutable std::atomic<bool> throws_{false};
  std::atomic<int64_t> nanos_{std::chrono::nanoseconds(std::chrono::hours(1)).count()};
};

}  // namespace crier

#endif  // CRIER_TESTS_SUPPORT_FAKE_CLOCK_H_
