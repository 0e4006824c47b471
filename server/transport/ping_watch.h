// A ping that was sent, and the time until its answer is overdue.
#ifndef CRIER_SERVER_TRANSPORT_PING_WATCH_H_
#define CRIER_SERVER_TRANSPORT_PING_WATCH_H_

#include <utility>

#include "server/base/clock.h"
#include "server/net/socket_options.h"

namespace crier {

// Runs on: shard thread.
class PingWatch {
 public:
  // A ping is sent on the socket `fd`.
  void Sent(TimePoint now, int fd) {
    sent_ = now;
    before_ = SendProgressOf(fd);
  }

  // True if no byte was received since. Any byte counts as an answer.
  bool awaited(TimePoint last_received) const { return sent_ > last_received; }
  // When the ping was sent, or when data before it was last seen to move.
  TimePoint sent() const { return sent_; }

  // Ask this when the answer is overdue. A slow reader first has to take all data before the ping.
  // While there is such data, the time to answer restarts whenever the reader has taken some of it,
  // and its window may stay closed for `patience`.
  bool IsOnItsWay(TimePoint now, int fd, Duration patience) {
    const SendProgress before = std::exchange(before_, SendProgressOf(fd));
    if (!before.pending) return false;
    if (before_.acknowledged != before.acknowledged) {
      sent_ = now;
      return true;
    }
    return !before_.retransmitting && now < sent_ + patience;
  }

 private:
  TimePoint sent_{};
  SendProgress before_;  // at that time
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_PING_WATCH_H_
