// One topic in one encoding, as the sessions of one shard read it.
//
// On the topic's home shard a feed reads the topic's own log; elsewhere it reads a replica that the
// home shard keeps up to date. Either way its followers only hold offsets.
#ifndef CRIER_SERVER_ENGINE_FEED_H_
#define CRIER_SERVER_ENGINE_FEED_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "server/engine/cursor.h"
#include "server/engine/encoding.h"
#include "server/engine/event_log.h"
#include "server/engine/round_pace.h"

namespace crier {

class FeedTable;

// How many sessions follow a topic, on all shards and in all encodings. Thread-safe.
struct FollowerCount {
  std::atomic<uint64_t> sessions{0};
  // Somebody is told of changes: the topic's home wants to know of each. Who changes the number
  // looks here afterwards, and who sets this looks at the number afterwards, so that one of the two
  // sees the other.
  std::atomic<bool> watched{false};
};

// What a feed needs to start, from its topic's home shard.
struct FeedStart {
  uint64_t epoch = 0;
  std::shared_ptr<FollowerCount> follower_count;
  const EventLog* home_log = nullptr;  // where this is the home shard; else null
  LogDelta snapshot;                   // elsewhere
};

// Runs on: the shard's thread.
class Feed {
 public:
  // `encoding` lives for ever, `limits` and `table` longer than the feed. `ticket` tells this feed
  // from others of the same topic and encoding, before and after it. `table` is told when passes
  // are over; may be null.
  Feed(std::string topic, const Encoding* encoding, const LogLimits& limits, uint64_t ticket,
       FeedTable* table);
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  const std::string& topic() const { return topic_; }
  const Encoding* encoding() const { return encoding_; }
  uint64_t ticket() const { return ticket_; }

  // False until the home shard has answered; then nothing below may be read.
  bool started() const { return follower_count_ != nullptr; }
  // The topic's home wants to know of sessions that begin or cease to follow, whosever they are.
  bool watched() const { return started() && follower_count_->watched; }
  void Start(const FeedStart& start);

  // The log has begun anew: every place in it is to be found again.
  void BeginAnew(const FeedStart& start);

  // For a replica: the log has moved.
  void Apply(const LogDelta& delta) { replica_.Apply(delta); }

  const EventLog& log() const { return home_log_ != nullptr ? *home_log_ : replica_; }
  uint64_t epoch() const { return epoch_; }

  void AddFollower(Cursor* cursor);
  void RemoveFollower(Cursor* cursor);
  const std::vector<Cursor*>& followers() const { return followers_; }
  // So few followers, and so few new events, that these need not wait for a round.
  bool GoesFirst() const {
    return followers_.size() <= kFewFollowers && log().head() - last_pass_head_ < RoundPace::kDeep;
  }

  // --- Passes: who was handed what (for ws_broadcast_duration_seconds).
  //
  // A pass is one flush's attempt to hand this feed's new events to all its followers. It waits for
  // each follower that can take bytes, and for none that lags, is closing or, having lagged, still
  // catches up.

  // Begins a pass up to the log's head and marks every follower ready, with the answers where it
  // GoesFirst. Call HandedThrough after.
  // Returns how many events have come since the pass before.
  uint64_t BeginPass();
  // The follower has taken everything, or takes nothing any more: no pass waits for it.
  void Release(Cursor* cursor);
  // The offset up to which every pass is complete.
  uint64_t HandedThrough();

  // --- The shard's.
  bool dirty = false;             // in the shard's list of feeds to pass over
  uint64_t reported_through = 0;  // what the home shard was last told of HandedThrough
  bool pinned = false;            // stays without followers

 private:
  // Their turns are a fraction of what a flush has for answers.
  static constexpr size_t kFewFollowers = 64;

  struct Pass {
    uint64_t head;
    uint32_t waiting;
  };

  const std::string topic_;
  const Encoding* const encoding_;
  const uint64_t ticket_;
  FeedTable* const table_;
  const LogLimits& limits_;
  EventLog replica_;
  const EventLog* home_log_ = nullptr;
  uint64_t epoch_ = 0;
  std::shared_ptr<FollowerCount> follower_count_;
  std::vector<Cursor*> followers_;
  absl::InlinedVector<Pass, 1> passes_;  // open ones, oldest first
  uint64_t first_pass_ = 1;              // the number of passes_.front()
  uint64_t last_pass_head_ = 0;          // of the newest pass, open or not
  uint64_t handed_through_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_FEED_H_
