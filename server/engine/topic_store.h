// The topics whose home is one shard: found by name, forgotten when their time has come, and first
// to give way where memory is short.
#ifndef CRIER_SERVER_ENGINE_TOPIC_STORE_H_
#define CRIER_SERVER_ENGINE_TOPIC_STORE_H_

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "server/base/name_hash.h"
#include "server/engine/history.h"
#include "server/engine/mail.h"
#include "server/engine/presence_desk.h"
#include "server/engine/topic.h"

namespace crier {

class Shard;

// No function walks all topics: there may be a million. Runs on: shard thread, all of it.
class TopicStore {
 public:
  // `shard` outlives this object.
  explicit TopicStore(Shard* shard);
  ~TopicStore();
  TopicStore(const TopicStore&) = delete;
  TopicStore& operator=(const TopicStore&) = delete;

  // --- Publishing and reading.

  // Null: there is none.
  Topic* Find(std::string_view name);
  // OVERLOADED where the topic would be a new one and there may be no more.
  PublishResult Publish(Publication* publication);
  // Answers shard `from` with a HistoryMail.
  void AskForHistory(size_t from, HistoryQuestion question);
  // Some topics, logs of presence among them, for walks, in the order of what Page::next counts:
  // those behind `after`, about `most` of them or fewer. No topic is passed over that is there all
  // the time. It looks at a sixty-fourth of the shard's table, and at no topic that it does not
  // return.
  struct Page {
    std::vector<const Topic*> topics;
    uint64_t next = 0;  // the next page is behind this
    bool last = false;  // there is no next page
  };
  Page PageOf(uint64_t after, size_t most) const;
  // Answers shard `from` with a PresenceMail: who follows, on all nodes that share the topic.
  void AskForPresence(size_t from, const PresenceAskedMail& question);
  // Who follows on this node.
  void DescribePresence(std::string_view name, v1::Presence* presence);

  // --- Following. A topic that nothing was published to yet is one all the same.

  // Answers with a FollowedMail: at once, or where nodes share the topic, when its place is known.
  void AddFeed(std::string_view name, const TopicReader& reader);
  void RemoveFeed(std::string_view name, size_t shard, const Encoding* encoding);
  void Handed(size_t shard, const HandedMail& mail);
  void SetFollower(const FollowerMail& mail);

  // --- From a SharedBus, of topics that it was asked to follow.

  // The topic's log begins, or begins anew, behind offset `base` of this epoch (Topic::Begin).
  void Begin(Topic* topic, uint64_t epoch, uint64_t base, bool complete);
  // What comes next. REQUIRES: its epoch and its offset are those that come next.
  void Append(Topic* topic, Publication* publication);

  // --- Presence. A topic's log of presence (presence_log.h) is followed as a topic is.

  PresenceDesk& presence() { return presence_; }
  // From a SharedBus that was asked to watch the topic: what has changed on another node; and that
  // all of them have said who follows there, which is told once, and at the latest when the bus
  // has waited for it long enough. Nothing, where nobody here watches any more.
  void ChangeFollowersElsewhere(std::string_view name, const FollowersElsewhere& change);
  void AllFollowersKnown(std::string_view name);
  // The user's first session on this node follows the topic, or the last one has ceased to.
  void FollowerChanged(const Topic& topic, const std::string& user, bool here);
  void AppendChange(Topic* log, const v1::Event& change);

  // The topic's logs have moved: its feeds are told in the next flush.
  void MarkMoved(Topic* topic);
  void TellFeeds();

  // Served in turn, some in each flush.
  void AskForSlice(size_t shard, SliceAskedMail question);
  // Serves some. Returns false where none are left.
  bool ServeSlices();

  // --- Memory.

  // Lets a little give way where memory is short. False: there is no room all the same.
  bool MakeRoom();

  // Every kTickInterval.
  void Tick(TimePoint now);

 private:
  using UseList = boost::intrusive::list<Topic, boost::intrusive::base_hook<TopicHook<UseTag>>,
                                         boost::intrusive::constant_time_size<false>>;
  using DueList = boost::intrusive::list<Topic, boost::intrusive::base_hook<TopicHook<DueTag>>,
                                         boost::intrusive::constant_time_size<false>>;
  // A table keeps each name's hash, so that it grows without a look at its topics.
  struct Slot {
    uint64_t hash;
    Topic* topic;
  };
  struct Name {
    uint64_t hash;
    std::string_view name;
  };
  struct SlotHash {
    using is_transparent = void;
    size_t operator()(const Slot& slot) const { return slot.hash; }
    size_t operator()(const Name& name) const { return name.hash; }
  };
  struct SlotEqual {
    using is_transparent = void;
    bool operator()(const Slot& a, const Slot& b) const { return a.topic == b.topic; }
    bool operator()(const Slot& a, const Name& b) const { return a.topic->name() == b.name; }
    bool operator()(const Name& a, const Slot& b) const { return b.topic->name() == a.name; }
  };
  using Table = absl::flat_hash_set<Slot, SlotHash, SlotEqual>;
  // Many small tables instead of a large one: when one grows, it is for a fraction of a
  // millisecond.
  static constexpr size_t kTables = 64;
  // A wheel of seconds (Varghese and Lauck, 1987). What is due later than one turn is looked at
  // once per turn.
  static constexpr size_t kDueSlots = 1024;
  static constexpr size_t kMostDuePerTick = 1000;
  static constexpr size_t kMostGivingWayPerTick = 1000;
  static constexpr int kGivingWayPerPublish = 2;
  static constexpr size_t kSlicesPerFlush = 4;

  Table& TableOf(uint64_t hash) { return tables_[hash >> 58]; }
  Topic* Find(const Name& name);
  // `wanted`: made even where there are too many. Null: it is not there, and may not be.
  Topic* FindOrMake(std::string_view name, bool wanted);
  void Used(Topic* topic);
  void LookAt(Topic* topic, TimePoint at);
  void LookNext(Topic* topic);
  void Forget(Topic* topic);
  void Watch(std::string_view name);
  void Unwatch(std::string_view name);
  // Nobody here watches it any more.
  void CeaseToWatch(const Topic& topic);
  // Null: no other node has the topic.
  SharedBus* SharedBusOf(std::string_view name) const;
  PublishResult PublishTo(Topic* topic, Publication* publication);
  HistoryRange History(const HistoryQuestion& question);
  void ServeSlice(size_t shard, const SliceAskedMail& question);
  // From what the nodes share.
  void ServeOldSlice(size_t shard, SliceAskedMail question);
  // One topic does. False: none is left that could.
  bool GiveWay();
  void ExpireSome(TimePoint now);

  Shard& shard_;
  std::array<Table, kTables> tables_;
  // The least recently used first.
  UseList unfollowed_;
  UseList followed_;
  std::array<DueList, kDueSlots> wheel_;
  DueList due_;         // now
  int64_t second_ = 0;  // of the wheel, the last one that is over
  std::vector<Topic*> moved_;
  std::vector<Topic*> sliced_;  // that keep slices
  TimePoint slices_drop_at_{};

  struct AskedSlice {
    size_t shard;
    SliceAskedMail question;
  };
  std::deque<AskedSlice> asked_slices_;
  // That what nodes share could not answer: asked again in the next tick.
  std::vector<AskedSlice> late_slices_;
  PresenceDesk presence_;

  // Of topics that are made now. A new one once a topic is forgotten that had events: it may come
  // back, and must not pass for the one it was.
  uint64_t epoch_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_TOPIC_STORE_H_
