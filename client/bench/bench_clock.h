// The benchmark's clock.
#ifndef CRIER_CLIENT_BENCH_BENCH_CLOCK_H_
#define CRIER_CLIENT_BENCH_BENCH_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace crier::bench {

inline constexpr int64_t kSecond = 1'000'000'000;
inline constexpr int64_t kMillisecond = 1'000'000;

// Nanoseconds since 1970 that never go back: the wall clock at the first call, then the steady
// clock. Thread-safe.
inline int64_t NowNs() {
  const auto steady = [] {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  static const int64_t kShift =
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count() -
      steady();
  return steady() + kShift;
}

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_BENCH_CLOCK_H_
