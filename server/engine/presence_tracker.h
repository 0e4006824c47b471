// What has changed among the followers of one topic since its watchers were told last, and which
// sessions wait to be told who is there.
#ifndef CRIER_SERVER_ENGINE_PRESENCE_TRACKER_H_
#define CRIER_SERVER_ENGINE_PRESENCE_TRACKER_H_

#include <boost/intrusive/list_hook.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/base/string_map.h"
#include "server/engine/bus.h"
#include "server/engine/topic_users.h"

namespace crier {

class Topic;

// Who wants to know who is there: one cursor of a session.
struct SnapshotAsker {
  SessionRef session;
  uint64_t ticket = 0;  // Cursor::Start::snapshot_ticket
};

// Links a tracker into one of its desk's lists.
using TrackerHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// A topic has one while it is watched. Names that it keeps are of users who follow the topic, or
// did when watchers were told last; so it is never larger than what the topic kept of them then and
// keeps now. Runs on: the topic's home shard.
//
// It also has the followers on other nodes that share the topic, while these are told of them.
class PresenceTracker : public TrackerHook {
 public:
  // Of names in one event. More are a crowd, of which the numbers are told.
  static constexpr size_t kMostNames = 100;

  // `topic` owns the tracker. `shared`: other nodes share the topic, and have not said yet who
  // follows it there.
  PresenceTracker(Topic* topic, bool shared) : topic_(*topic), all_known_(!shared) {}
  PresenceTracker(const PresenceTracker&) = delete;
  PresenceTracker& operator=(const PresenceTracker&) = delete;

  Topic& topic() const { return topic_; }

  // Somebody is about to be told for the first time who is there: what changes from here on is
  // collected. `sessions`: that follow now. Nothing, where this was called before.
  void Begin(uint64_t sessions);

  // The user's first session follows, or the last one has ceased to.
  void Change(const std::string& user, bool here);

  // --- Followers elsewhere.

  // The other nodes have said who follows: until then nobody is told anything.
  bool all_known() const { return all_known_; }
  void SetAllKnown() { all_known_ = true; }
  TopicUsers& elsewhere() { return elsewhere_; }
  const TopicUsers& elsewhere() const { return elsewhere_; }
  uint64_t sessions_elsewhere() const { return sessions_elsewhere_; }
  void AddSessionsElsewhere(int64_t change) {
    sessions_elsewhere_ += static_cast<uint64_t>(change);
  }
  // One more, or one less, of the users elsewhere is here, too.
  void AddBoth(bool more) { both_ += more ? 1 : size_t{0} - 1; }
  size_t users_only_elsewhere() const { return elsewhere_.count() - both_; }

  // ---

  // Something was not told yet, where so many sessions follow.
  bool HasChanged(uint64_t sessions) const {
    return !changed_.empty() || (begun_ && sessions != told_sessions_);
  }
  // The same, or somebody waits to be told who is there.
  bool HasNews(uint64_t sessions) const { return HasChanged(sessions) || IsAwaited(); }
  // What has changed is told now: fills the names and the numbers of changes.
  void TakeChange(uint64_t sessions, TimePoint now, v1::PresenceChange* change);
  // When that was last.
  TimePoint told_at() const { return told_at_; }

  // Wants to know who is there once all that has changed is told.
  void Wait(const SnapshotAsker& asker) { waiting_.push_back(asker); }
  std::vector<SnapshotAsker> TakeWaiting();
  bool IsAwaited() const { return all_known_ && !waiting_.empty(); }

  // Who is there, made for somebody since the last change was told: as long as it is on its way,
  // others get the same. Null: there is none.
  std::shared_ptr<const v1::Event> snapshot() const { return snapshot_.lock(); }
  void set_snapshot(const std::shared_ptr<const v1::Event>& snapshot) { snapshot_ = snapshot; }

  // What it keeps, in bytes.
  size_t memory() const;

 private:
  Topic& topic_;
  bool all_known_;
  TopicUsers elsewhere_;  // how many nodes each is on
  uint64_t sessions_elsewhere_ = 0;
  size_t both_ = 0;

  bool begun_ = false;
  uint64_t told_sessions_ = 0;
  TimePoint told_at_{};
  // Whether the user is here now, of those for whom that differs from what was told.
  StringMap<bool> changed_;
  size_t changed_bytes_ = 0;  // of the names
  size_t joined_ = 0;         // of changed_
  std::vector<SnapshotAsker> waiting_;
  std::weak_ptr<const v1::Event> snapshot_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_PRESENCE_TRACKER_H_
