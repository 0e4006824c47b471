// A ping that was sent, and for how long its answer can be expected.
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

  // No byte, which is as good as an answer, was received since.
  bool awaited(TimePoint last_received) const { return sent_ > last_received; }
  // When the ping was sent, or what lies before it was last seen to have moved.
  TimePoint sent() const { return sent_; }

  // To be asked when the answer is overdue. A slow reader has to take all that lies before the ping
  // first. While some does, its time to answer begins anew each time that it has taken some, and a
  // closed window may stay closed for `patience`.
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
