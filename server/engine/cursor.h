// A session's place in a topic: what it was sent, what it is owed, what it was told it will not
// get.
#ifndef CRIER_SERVER_ENGINE_CURSOR_H_
#define CRIER_SERVER_ENGINE_CURSOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/engine/event_log.h"

namespace crier {

class Feed;
class Session;

// Events that a session will not get.
struct SkippedRange {
  uint64_t first = 0;  // both included; none where last < first
  uint64_t last = 0;
  v1::GapReason reason = v1::GAP_REASON_UNSPECIFIED;
  uint64_t count() const { return last + 1 - first; }
};

// Runs on: the session's shard thread.
//
class Cursor {
 public:
  // How a cursor comes to follow its topic's head:
  //
  //                ,---> kHeld ----.
  //   kStarting ---+---------------+--> kLive
  //                 `-> kReplaying-'      |
  //                         ^-------------'  (a resume point moves it back)
  //
  enum class State : uint8_t {
    kStarting,   // the feed cannot be read yet: its home shard has not answered
    kHeld,       // the client's first frame may yet move it (SessionOptions::expect_hello); or it
                 // follows changes of presence, and what these change is yet to be told
    kReplaying,  // before the oldest event of its feed: reads slices of older ones (Replay)
    kLive,       // reads the feed
  };

  // What is yet to be done for the frames that asked to follow, or to go on from a resume point.
  struct Start {
    std::optional<v1::ResumePoint> resume;  // applied as soon as the feed can be read
    // Set while the resume point is applied: why events before the oldest one kept will not come.
    v1::GapReason reason = v1::GAP_REASON_UNSPECIFIED;
    std::vector<std::string> ack_ids;  // answered when the cursor has its place
    bool hold = false;                 // kHeld before kLive
    // kHeld: where it was when the log began anew, if it did.
    std::optional<v1::ResumePoint> left{};
    // Who is there was asked for, with this number (Following::AskForSnapshot). 0: it was not.
    uint64_t snapshot_ticket = 0;
  };

  // A copy of older events in the session's encoding, made for those that resume (SliceQueue). At
  // most one slice at a time is here or asked for.
  struct Replay {
    ChunkPtr slice;     // null: none is here
    uint64_t last = 0;  // the slice's last event
    bool asked = false;
  };

  Cursor(Session* session, v1::SlowConsumerPolicy policy) : session_(session), policy_(policy) {}
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  Session& session() const { return *session_; }
  State state() const { return state_; }
  v1::SlowConsumerPolicy policy() const { return policy_; }
  void set_policy(v1::SlowConsumerPolicy policy) { policy_ = policy; }

  // The last offset before the first one owed.
  uint64_t start() const { return next_ - 1 - delivered_ - skipped_; }
  uint64_t next() const { return next_; }  // the next offset to send
  uint64_t delivered() const { return delivered_; }
  uint64_t skipped() const { return skipped_; }

  // --- To its place.

  // Null: nothing is left to be done.
  Start* start_work() { return starting_.get(); }
  bool awaits_snapshot() const { return starting_ != nullptr && starting_->snapshot_ticket != 0; }
  size_t waiting_acks() const { return starting_ == nullptr ? 0 : starting_->ack_ids.size(); }
  Start& EnsureStart();
  void FinishStart() { starting_.reset(); }

  // From kStarting: the feed can be read. After its head, kLive.
  void BeginAfter(uint64_t head);
  // From kLive: kHeld.
  void Hold();
  // From kHeld: kLive.
  void LetGo();
  // From any state but kStarting: after the event that the client was at last, or where the epoch
  // is over, before the oldest. kLive where `log`, the feed's, reaches so far back; else
  // kReplaying. What the topic no longer keeps is to be skipped then. Counting begins anew.
  // `ahead`: by how many events the client may be ahead of the log, which is what one node of a
  // cluster has by now; those are not sent to it again.
  void MoveTo(const v1::ResumePoint& point, uint64_t epoch, const EventLog& log, uint64_t ahead);

  // --- kReplaying, kLive.

  // Events up to `last` were taken.
  void TakeThrough(uint64_t last) {
    delivered_ += last - next_ + 1;
    next_ = last + 1;
    if (replay_ != nullptr && next_ > replay_->last) replay_->slice = ChunkPtr();
  }
  // It reads `log`, which no longer keeps what it is owed.
  bool lags(const EventLog& log) const { return state_ == State::kLive && next_ < log.tail(); }
  // The events before `to` are gone: goes on there.
  SkippedRange SkipTo(uint64_t to, v1::GapReason reason);
  // What comes at offset `from`, at most about `budget` bytes of it; empty: nothing that is here.
  // REQUIRES: from >= next().
  EventRun Read(const EventLog& log, uint64_t from, size_t budget) const {
    if (replay_ != nullptr) return ReadReplay(log, from, budget);
    return from < log.tail() ? EventRun{} : log.Read(from, budget);
  }
  // There is something to read at next().
  bool HasMore(const EventLog& log) const {
    if (state_ == State::kLive) return next_ <= log.head();
    return state_ == State::kReplaying &&
           (replay_->slice.get() != nullptr || (next_ >= log.tail() && next_ <= log.head()));
  }

  // --- kReplaying.

  bool wants_slice() const {
    return state_ == State::kReplaying && replay_->slice.get() == nullptr && !replay_->asked;
  }
  bool awaits_slice() const { return state_ == State::kReplaying && replay_->asked; }
  void AskedForSlice() { replay_->asked = true; }
  // What was asked for: events up to `last`, next() among them; or null.
  void SetSlice(ChunkPtr slice, uint64_t last);
  // kLive, where no slice is left and the feed's log holds next().
  void EndReplayWhereReached(const EventLog& log) {
    if (state_ != State::kReplaying || replay_->slice.get() != nullptr || next_ < log.tail())
      return;
    state_ = State::kLive;
    replay_.reset();
  }

  // --- The outlet's.
  bool ready = false;  // in the list of those that have something to send

  // --- Following's.
  bool watched = false;  // another cursor follows who comes to this topic and goes

  // --- The feed's.
  Feed* feed = nullptr;
  uint32_t follower_index = 0;  // in Feed::followers
  uint64_t waited_from = 0;     // the oldest pass that waits for this one; 0: none

 private:
  EventRun ReadReplay(const EventLog& log, uint64_t from, size_t budget) const;

  Session* const session_;
  v1::SlowConsumerPolicy policy_;
  State state_ = State::kStarting;
  uint64_t next_ = 1;
  uint64_t delivered_ = 0;
  uint64_t skipped_ = 0;
  std::unique_ptr<Start> starting_;
  std::unique_ptr<Replay> replay_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_CURSOR_H_
