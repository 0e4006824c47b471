// A session's own log: direct messages and answers. Bounded like a topic's log, read through the
// same kind of cursor; what the session has taken is freed at once, since nobody else reads it.
#ifndef CRIER_SERVER_ENGINE_MAILBOX_H_
#define CRIER_SERVER_ENGINE_MAILBOX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "server/engine/event_log.h"

namespace crier {

class MailboxPool;

// Runs on: the session's shard thread.
class Mailbox {
 public:
  // `pool` outlives the mailbox.
  explicit Mailbox(MailboxPool* pool) : pool_(*pool) {}

  void Append(std::string_view event, TimePoint at) { OpenBox().log.Append(event, at); }
  // An answer to one of the session's own frames.
  void AppendAnswer(std::string_view event, TimePoint at);

  // How far the session's reading is behind its own answers: each answer adds to it, and whatever
  // is taken takes off it, whoever has sent that. So what others send never adds to it, and a
  // session that reads as fast as it is answered has none. At most what is here.
  struct Behind {
    uint32_t bytes = 0;
    uint32_t events = 0;
  };
  Behind behind() const { return box_ == nullptr ? Behind() : box_->behind; }

  // Memory is short: drops about half of what waits, oldest first.
  void GiveWay() {
    if (box_ != nullptr) box_->log.Shrink(box_->log.head() + 1);
  }

  bool empty() const { return box_ == nullptr; }
  // True where events were dropped that the session had not taken.
  bool lagging() const { return box_ != nullptr && next_ < box_->log.tail(); }

  // The last offset given out; 0: none yet.
  uint64_t head() const { return box_ == nullptr ? next_ - 1 : box_->log.head(); }
  // The oldest offset kept; head() + 1: none.
  uint64_t tail() const { return box_ == nullptr ? next_ : box_->log.tail(); }
  // Of the events that wait.
  size_t bytes() const { return box_ == nullptr ? 0 : box_->log.bytes(); }
  // Of all that is kept while events wait.
  size_t memory() const { return box_ == nullptr ? 0 : sizeof(Box) + box_->log.memory(); }
  // As EventLog::Read. REQUIRES: tail() <= from <= head().
  EventRun Read(uint64_t from, size_t budget) const { return box_->log.Read(from, budget); }

  // The next offset to send.
  uint64_t next() const { return next_; }
  uint64_t delivered() const { return delivered_; }
  uint64_t skipped() const { return next_ - 1 - delivered_; }

  // Events up to `offset` were taken; they are freed.
  void TakeThrough(uint64_t offset);
  // Moves the cursor to the tail. Returns how many events that skips.
  uint64_t SkipToTail();

 private:
  friend class MailboxPool;
  struct Box {
    EventLog log;
    Behind behind{};
  };

  Box& OpenBox();
  void CloseWhereEmpty();

  MailboxPool& pool_;
  // Null: nothing waits. So a session that is idle, as most are, keeps none of this.
  std::unique_ptr<Box> box_;
  uint64_t next_ = 1;
  uint64_t delivered_ = 0;
};

// What a shard's mailboxes share: their limits, and what those that are empty have left for the
// next ones. Runs on: the shard's thread.
class MailboxPool {
 public:
  // `limits` outlives the pool.
  explicit MailboxPool(const LogLimits& limits) : limits_(limits) {}

 private:
  friend class Mailbox;
  // More than this are freed: a burst is not kept for ever.
  static constexpr size_t kMostSpare = 256;

  std::unique_ptr<Mailbox::Box> Take(uint64_t base);
  void Give(std::unique_ptr<Mailbox::Box> box);

  const LogLimits& limits_;
  std::vector<std::unique_ptr<Mailbox::Box>> spare_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_MAILBOX_H_
