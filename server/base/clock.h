// Time, as the engine sees it: passed in, so that tests drive it.
#ifndef CRIER_SERVER_BASE_CLOCK_H_
#define CRIER_SERVER_BASE_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace crier {

using Duration = std::chrono::steady_clock::duration;
using TimePoint = std::chrono::steady_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back; for intervals.
  virtual TimePoint Now() const = 0;
  // Nanoseconds since 1970; for what is shown to clients.
  virtual int64_t WallNanos() const = 0;

  // The machine's clock; lives for ever.
  static const Clock& Real();
};

// Seconds, as metrics want them.
inline double Seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace crier

#endif  // CRIER_SERVER_BASE_CLOCK_H_
