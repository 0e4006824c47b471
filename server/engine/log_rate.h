// How fast a topic's log grows. Asked when an administrator looks, and kept nowhere: the log knows
// when each of its events was received.
#ifndef CRIER_SERVER_ENGINE_LOG_RATE_H_
#define CRIER_SERVER_ENGINE_LOG_RATE_H_

#include <chrono>

#include "server/base/clock.h"
#include "server/engine/event_log.h"

namespace crier {

// A page of topics is looked at every second or so: long enough to be steady, short enough to
// follow what happens.
inline constexpr std::chrono::seconds kRateWindow{10};

// Events per second over the window that ends `now`. Where the log is too small to keep the window:
// over what it keeps. Looks at a few events (a binary search). `limits`: of the log. REQUIRES: no
// replica. Not thread-safe.
double LogRate(const EventLog& log, const LogLimits& limits, TimePoint now);

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_LOG_RATE_H_
