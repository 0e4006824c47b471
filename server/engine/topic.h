// A topic, on its home shard: the only writer of its logs. It gives out offsets, so that every
// subscriber sees the same order, on every transport and every shard.
#ifndef CRIER_SERVER_ENGINE_TOPIC_H_
#define CRIER_SERVER_ENGINE_TOPIC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/engine/bus.h"
#include "server/engine/dedupe_table.h"
#include "server/engine/encoding.h"
#include "server/engine/event_log.h"
#include "server/engine/feed.h"
#include "server/engine/handed_tracker.h"

namespace crier {

class Shard;

// Runs on: the home shard's thread, all of it.
class Topic {
 public:
  Topic(Shard* home, std::string name);
  ~Topic();
  Topic(const Topic&) = delete;
  Topic& operator=(const Topic&) = delete;

  const std::string& name() const { return name_; }
  uint64_t epoch() const { return epoch_; }

  // Gives the message its offset, encodes it once per encoding that is followed, and appends it.
  // Calls publication.done.
  void Publish(Publication publication);

  // A shard begins to follow in this encoding; the log is created with its first follower. Where
  // the shard is the home itself, the feed reads the log in place.
  FeedStart AddFeed(size_t shard, const Encoding* encoding);
  // The last follower in an encoding takes its log along.
  void RemoveFeed(size_t shard, const Encoding* encoding);

  // Makes the log of an encoding reach as far back as the canonical one, for a client that resumes.
  // Tells the replicas.
  void ExtendBack(const Encoding* encoding);

  // A shard has handed over everything up to `offset`.
  void Handed(size_t shard, const Encoding* encoding, uint64_t offset);

  // Tells the feeds on all shards that the logs have moved. Once per burst, not per event.
  void TellFeeds();

  // Drops what is past its age. Returns false where nothing is left to keep the topic for.
  bool Expire(TimePoint now);
  // Gives way to others: drops about half of the logs' memory.
  void Shrink();

  // The log that every topic has.
  const EventLog& canonical() const { return logs_.front()->log; }
  size_t memory() const { return accounted_; }

  // --- The shard's.
  bool dirty = false;  // in the shard's list of topics whose feeds are to be told

 private:
  struct EncodedLog {
    const Encoding* encoding;
    EventLog log;
    std::vector<size_t> shards;  // that follow it
  };

  EncodedLog* Find(const Encoding* encoding);
  void MarkDirty();
  // Tells the shard how the logs' memory has changed.
  void Account();

  Shard* const home_;
  const std::string name_;
  const uint64_t epoch_;
  std::vector<std::unique_ptr<EncodedLog>> logs_;  // the first is the canonical one
  const std::shared_ptr<FollowerCount> follower_count_ = std::make_shared<FollowerCount>(0);
  HandedTracker handed_;
  DedupeTable dedupe_;
  size_t accounted_ = 0;
  TimePoint last_used_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_TOPIC_H_
