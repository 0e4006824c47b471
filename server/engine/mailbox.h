// A session's own log: direct messages and answers. Bounded like a topic's log, read through the
// same kind of cursor; what the session has taken is freed at once, since nobody else reads it.
#ifndef CRIER_SERVER_ENGINE_MAILBOX_H_
#define CRIER_SERVER_ENGINE_MAILBOX_H_

#include <cstdint>
#include <string_view>

#include "server/engine/event_log.h"

namespace crier {

// Runs on: the session's shard thread.
class Mailbox {
 public:
  // `limits` outlives the mailbox.
  explicit Mailbox(const LogLimits& limits) : log_(limits) {}

  void Append(std::string_view event, TimePoint at) { log_.Append(event, at); }
  // An answer to one of the session's own frames.
  void AppendAnswer(std::string_view event, TimePoint at);

  // How far the session's reading is behind its own answers: each answer adds to it, and whatever
  // is taken takes off it, whoever has sent that. So what others send never adds to it, and a
  // session that reads as fast as it is answered has none. At most what is here.
  struct Behind {
    uint32_t bytes = 0;
    uint32_t events = 0;
  };
  const Behind& behind() const { return behind_; }

  // Memory is short: drops about half of what waits, oldest first.
  void GiveWay() { log_.Shrink(log_.head() + 1); }

  bool empty() const { return next_ > log_.head(); }
  // True where events were dropped that the session had not taken.
  bool lagging() const { return next_ < log_.tail(); }
  const EventLog& log() const { return log_; }

  // The next offset to send.
  uint64_t next() const { return next_; }
  uint64_t delivered() const { return delivered_; }
  uint64_t skipped() const { return next_ - 1 - delivered_; }

  // Events up to `offset` were taken; they are freed.
  void TakeThrough(uint64_t offset);
  // Moves the cursor to the tail. Returns how many events that skips.
  uint64_t SkipToTail();

 private:
  EventLog log_;
  uint64_t next_ = 1;
  uint64_t delivered_ = 0;
  Behind behind_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_MAILBOX_H_
