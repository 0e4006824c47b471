// The feeds of a shard: of each topic that its sessions follow, one per encoding.
#ifndef CRIER_SERVER_ENGINE_FEED_TABLE_H_
#define CRIER_SERVER_ENGINE_FEED_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "server/base/string_map.h"
#include "server/engine/feed.h"

namespace crier {

class Shard;

// Runs on: shard thread, all of it.
class FeedTable {
 public:
  // `shard` outlives this object.
  explicit FeedTable(Shard* shard) : shard_(*shard) {}
  ~FeedTable();
  FeedTable(const FeedTable&) = delete;
  FeedTable& operator=(const FeedTable&) = delete;

  // The feed of the empty topic in the canonical encoding is always here.
  void PinEmptyTopic();
  const Feed& empty_topic() const { return *empty_topic_; }

  // --- For sessions.

  // Asks for it at the topic's home where there is none.
  Feed* Of(std::string_view topic, const Encoding* encoding);
  // Gives a feed back that may have lost its last follower.
  void GiveBack(Feed* feed);
  // True where the topic is followed here already, in whichever encoding.
  bool Has(std::string_view topic) const { return feeds_.contains(topic); }
  // Never the same twice.
  uint64_t NewTicket() { return ++last_ticket_; }

  // --- For the flush.

  bool has_moved() const { return !moved_.empty(); }
  // Begins the passes of the feeds that have moved, or only of those that go first. Returns the
  // most events that any of them brings.
  uint64_t BeginPasses(bool only_first);

  // --- From the topic's home.

  // The answer to Of.
  void Start(std::string_view topic, const Encoding* encoding, uint64_t ticket,
             const FeedStart& start);
  // The log begins anew (Topic::Begin).
  void BeginAnew(std::string_view topic, const Encoding* encoding, const FeedStart& start,
                 bool complete);
  // The log, which is read in place here, has moved.
  void Moved(std::string_view topic, const Encoding* encoding);
  // The same where it is read through a replica.
  void Apply(std::string_view topic, const Encoding* encoding, uint64_t epoch,
             const LogDelta& delta);

  // --- For feeds.

  // Tells the topic's home what was handed over, where that is news.
  void ReportHanded(Feed* feed);

 private:
  using Feeds = absl::InlinedVector<std::unique_ptr<Feed>, 1>;
  // Of a feed with its entry, in bytes.
  static int64_t MemoryOf(const Feed& feed);

  Feed* Find(std::string_view topic, const Encoding* encoding);
  void MarkMoved(Feed* feed);

  Shard& shard_;
  StringMap<Feeds> feeds_;
  Feed* empty_topic_ = nullptr;
  std::vector<Feed*> moved_;
  uint64_t last_ticket_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_FEED_TABLE_H_
