// A topic, on its home shard: the only writer of its logs. It gives out offsets, so that every
// subscriber sees the same order, on every transport and every shard.
#ifndef CRIER_SERVER_ENGINE_TOPIC_H_
#define CRIER_SERVER_ENGINE_TOPIC_H_

#include <boost/intrusive/list_hook.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/engine/bus.h"
#include "server/engine/encoding.h"
#include "server/engine/event_log.h"
#include "server/engine/feed.h"
#include "server/engine/handed_tracker.h"
#include "server/engine/held_sessions.h"

namespace crier {

class PresenceTracker;
class Shard;

// Links a topic into one of its store's lists: by use, and by when it is looked at next.
struct UseTag;
struct DueTag;
template <class Tag>
using TopicHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// The feed of a shard in an encoding, which reads a topic's log. `ticket`: Feed::ticket.
struct TopicReader {
  size_t shard = 0;
  const Encoding* encoding = nullptr;
  uint64_t ticket = 0;
};

// What has changed among a topic's followers on another node (Topic::SetFollowersElsewhere).
struct FollowersElsewhere {
  std::vector<std::string> joined = {};
  std::vector<std::string> left = {};
  int64_t sessions = 0;
};

// Older events in the encoding of who resumes.
struct LogSlice {
  ChunkPtr chunk;      // null: nothing is kept from `first` on
  uint64_t first = 0;  // what is to be sent next
  uint64_t last = 0;   // the last one in the chunk
};

// The messages, which follow each other, in one chunk. REQUIRES: there is one at least.
LogSlice SliceOf(const Encoding& encoding, std::vector<v1::Message> messages, TimePoint now);

// Small while nobody follows it: there may be a million. Runs on: the home shard's thread.
class Topic : public TopicHook<UseTag>, public TopicHook<DueTag> {
 public:
  // `home` outlives the topic. `epoch`: of this life of it.
  Topic(Shard* home, std::string name, uint64_t epoch);
  ~Topic();
  Topic(const Topic&) = delete;
  Topic& operator=(const Topic&) = delete;

  const std::string& name() const { return name_; }
  uint64_t epoch() const { return epoch_; }
  // The log that every topic has.
  const EventLog& canonical() const { return canonical_; }
  // Some shard has a feed of it.
  bool followed() const { return followed_ != nullptr; }
  // Sessions that follow.
  uint64_t followers() const;
  // What its logs keep, in bytes of memory.
  size_t log_memory() const { return MemoryOfLogs(); }
  // The same in an encoding other than the canonical one.
  bool FollowedIn(const Encoding* encoding) const;

  // Gives the message its offset, encodes it once per encoding that is followed, and appends it.
  // Takes the message. While followers that keep up are far behind, the publisher is held.
  PublishResult Publish(Publication* publication);

  // --- Feeds.

  // A shard begins to follow in this encoding; the log is created with its first follower. Where
  // the shard is the home itself, the feed reads the log in place. `begun`, for the first of all
  // followers: the log is here; else Begin says where it begins.
  void AddFeed(const TopicReader& reader, bool begun);
  // Tells the feed what it needs to start, unless Begin is yet to do so.
  void StartFeed(const TopicReader& reader);
  // The log is another one: behind offset `base` of this epoch, and empty. It is where the feeds
  // that wait for it start; and the others begin anew, each of their followers where it was. Where
  // what comes after that place is not here, it is older (SharedBus::ReadPast), or is told as a
  // gap. `complete`: there was nothing before this epoch. REQUIRES: followed().
  void Begin(uint64_t epoch, uint64_t base, bool complete);
  // False until then: nothing below may be read.
  bool begun() const;
  // The last follower in an encoding takes its log along.
  void RemoveFeed(size_t shard, const Encoding* encoding);
  // A shard has handed over everything up to `offset`.
  void Handed(size_t shard, const Encoding* encoding, uint64_t offset);
  // Tells the feeds on all shards that the logs have moved. Once per burst, not per event.
  void TellFeeds();

  // A few events from `from` on, encoded anew; or, where it is there, what was encoded for others
  // that resumed a moment ago. REQUIRES: followed in this encoding.
  LogSlice Slice(const Encoding* encoding, uint64_t from);
  // What others were sent a moment ago is there from this offset on.
  bool KeptSlice(const Encoding* encoding, uint64_t from) const;
  // Keeps it for others. REQUIRES: followed in this encoding.
  void KeepSlice(const Encoding* encoding, LogSlice slice);
  // Forgets what Slice keeps.
  void DropSlices();

  // --- Presence.

  // A session of this user follows from now on, or does no more. Without a user: only the number of
  // sessions has changed.
  void SetFollower(const std::string& user, bool here);
  // How many sessions follow, and of which users: at most `most` of these.
  void DescribePresence(size_t most, v1::Presence* presence) const;
  // The same with those on the other nodes. REQUIRES: presence(); so do the three below.
  void DescribeAll(size_t most, v1::Presence* presence) const;
  uint64_t all_followers() const;
  size_t all_users() const;
  // So many more sessions follow on other nodes, these users come to one of these nodes, and those
  // go from it.
  void SetFollowersElsewhere(const FollowersElsewhere& change);

  // Begins, and ends, to collect what changes. `shared`: with other nodes. REQUIRES for Watch:
  // followed().
  void Watch(bool shared);
  void Unwatch();
  // Null: nobody watches.
  PresenceTracker* presence() const;

  // For a log of presence: appends an event about the topic.
  void AppendChange(const v1::Event& change);

  // --- Giving way.

  // Drops what is past its age.
  void Expire(TimePoint now);
  // Drops about half of the logs' memory, but nothing that a follower which keeps up is yet to get.
  void Shrink();
  // When there is something to expire, or where there is nothing, when the topic was used last.
  TimePoint oldest() const;

  // Tells the meter how much the topic keeps.
  void Account();

  // --- The store's.
  TimePoint last_used;
  bool dirty = false;  // in the list of topics whose feeds are to be told

 private:
  struct Followed;
  struct EncodedLog;

  EncodedLog* Find(const Encoding* encoding) const;
  const LogSlice* FindSlice(const Encoding* encoding, uint64_t from) const;
  FeedStart StartOf(const TopicReader& reader);
  void Append(EventLog* log, const Encoding& encoding, const v1::Event& event, TimePoint at);
  void Encode(const Encoding& encoding, const v1::Event& event, std::string* out);
  // Of the events kept.
  size_t average_bytes() const;
  // Followers that keep up have so much before them that more might overrun them.
  bool Congested() const;
  void ReleaseHeld();
  void MarkDirty();
  size_t MemoryOfLogs() const;
  size_t MemoryOfRest() const;

  Shard* const home_;
  const std::string name_;
  uint64_t epoch_;
  EventLog canonical_;
  std::unique_ptr<Followed> followed_;
  uint32_t accounted_logs_ = 0;
  uint32_t accounted_rest_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_TOPIC_H_
