#include "server/engine/log_rate.h"

#include <algorithm>
#include <cstdint>

namespace crier {
namespace {

// What a log drops because it is full was young. One that is not even half full has dropped only
// what was past its age (or has given way to others for want of memory: its rate is too low then).
bool DropsByAgeAlone(const EventLog& log, const LogLimits& limits) {
  return log.bytes() < limits.bytes / 2 && log.head() + 1 - log.tail() < limits.events / 2 &&
         limits.age >= kRateWindow;
}

}  // namespace

double LogRate(const EventLog& log, const LogLimits& limits, TimePoint now) {
  const TimePoint begin = now - kRateWindow;
  // The first offset of the window. Events of several shards may be some microseconds out of order.
  uint64_t first = log.tail();
  uint64_t end = log.head() + 1;
  while (first < end) {
    const uint64_t middle = first + (end - first) / 2;
    if (log.ReceivedAt(middle) < begin) {
      first = middle + 1;
    } else {
      end = middle;
    }
  }
  const uint64_t count = log.head() + 1 - first;
  const double per_window =
      static_cast<double>(count) / std::chrono::duration<double>(kRateWindow).count();
  const bool all_of_it = first > log.tail() || log.tail() == 1 || DropsByAgeAlone(log, limits);
  if (all_of_it || count < 2) return per_window;
  // What came before has been dropped, so the window begins with the oldest event.
  const std::chrono::duration<double> kept = now - log.ReceivedAt(first);
  return std::max(per_window, static_cast<double>(count - 1) / std::max(kept.count(), 1e-6));
}

}  // namespace crier
