// The engine's time. It is passed in, so that tests can drive it.
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
  // Never goes back. For intervals.
  virtual TimePoint Now() const = 0;
  // Nanoseconds since 1970. For times that clients see.
  virtual int64_t WallNanos() const = 0;

  // The machine's clock. Lives for ever.
  static const Clock& Real();
};

// In seconds, the unit of metrics.
inline double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace crier

#endif  // CRIER_SERVER_BASE_CLOCK_H_
