// The time that transports measure their peers' silence in: it goes on only while the shard serves.
//
// A process that was stopped for a while (SIGSTOP, a virtual machine that was suspended) has not
// heard its peers, whatever they said. On the machine's own clock each of them would be silent for
// too long when the process goes on, before a byte of theirs is read. So a pause does not count.
#ifndef CRIER_SERVER_TRANSPORT_SERVED_TIME_H_
#define CRIER_SERVER_TRANSPORT_SERVED_TIME_H_

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/base/clock.h"
#include "server/engine/shard.h"

namespace crier {

// Not thread-safe.
class ServedTime {
 public:
  // Up to so much between two ticks counts in full: the shard is busy. More is a pause, and counts
  // as one tick. Ten ticks: a shard whose handlers hold it up that long serves nobody.
  static constexpr std::chrono::milliseconds kPause = std::chrono::seconds(1);

  // Begins at `clock`, which is what the machine's clock says.
  void Start(TimePoint clock) {
    now_ = clock;
    ticked_at_ = clock;
  }

  // Goes on with the shard's tick. False: there was a pause, and what came in it is yet to be read;
  // nobody should be judged before the next tick. Never false twice in a row, so that a shard whose
  // every tick is late judges too.
  bool Tick(TimePoint clock) {
    now_ = At(clock);
    const bool paused = clock - std::exchange(ticked_at_, clock) > kPause;
    waits_ = paused && !waits_;
    return !waits_;
  }

  // As of the last tick.
  TimePoint now() const { return now_; }
  // When the machine's clock says `clock`, which is no earlier than at the last tick.
  TimePoint At(TimePoint clock) const {
    const Duration passed = std::max(clock - ticked_at_, Duration::zero());
    return now_ + (passed > kPause ? Duration(kTickInterval) : passed);
  }

 private:
  TimePoint now_{};
  TimePoint ticked_at_{};
  bool waits_ = false;  // the last tick was told to wait
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_SERVED_TIME_H_
