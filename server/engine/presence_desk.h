// Tells those who asked for it who comes to a topic and who goes (Subscribe.presence). One per
// shard, for the topics whose home it is.
//
// A topic that is watched has a PresenceTracker, and a log of its own for the changes
// (presence_log.h); one that is not watched has neither. What changes is collected and told in one
// event: with the next tick where the topic was quiet, else kInterval after the event before. So
// what a crowd costs each watcher is bounded, however fast it comes and goes.
//
// A session begins with a snapshot: an event in its mailbox that says who is there. It is made
// where everything that has changed is told, so it stands for a place in the log of changes, and
// the session's cursor goes on from there. All sessions that wait for it share one.
#ifndef CRIER_SERVER_ENGINE_PRESENCE_DESK_H_
#define CRIER_SERVER_ENGINE_PRESENCE_DESK_H_

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "server/engine/memory_budget.h"
#include "server/engine/presence_tracker.h"

namespace crier {

class Shard;

// Runs on: shard thread, all of it.
class PresenceDesk {
 public:
  // Between two events about one topic, at least.
  static constexpr std::chrono::seconds kInterval{1};

  // `shard` outlives this object.
  explicit PresenceDesk(Shard* shard);
  PresenceDesk(const PresenceDesk&) = delete;
  PresenceDesk& operator=(const PresenceDesk&) = delete;

  // Something about the tracker's topic has changed.
  void Changed(PresenceTracker* tracker) {
    if (!tracker->is_linked()) due_.push_back(*tracker);
  }
  // A session that follows the topic's log of presence wants to know who is there. It is answered,
  // once.
  void AskForSnapshot(std::string_view topic, const SnapshotAsker& asker);

  // The other nodes have said who follows the tracker's topic there.
  void AllKnown(PresenceTracker* tracker);

  // Answers without a snapshot: nobody watches any more.
  void Refuse(const SnapshotAsker& asker);

  // Every kTickInterval.
  void Tick(TimePoint now);

 private:
  using Trackers = boost::intrusive::list<PresenceTracker, boost::intrusive::base_hook<TrackerHook>,
                                          boost::intrusive::constant_time_size<false>>;
  // An event of a hundred names in three encodings takes of the order of 30 us.
  static constexpr size_t kMostToldPerTick = 200;
  // The work is at the shards of those who asked, where each may take as long as that.
  static constexpr size_t kMostSnapshotsPerTick = 500;

  // On its way to those who asked.
  struct Handout {
    std::shared_ptr<const v1::Event> event;
    std::vector<SnapshotAsker> askers;
    size_t bytes = 0;  // of both
  };

  void Tell(PresenceTracker* tracker, TimePoint now);
  void HandOut();

  Shard& shard_;
  // Quiet ones are in neither list.
  Trackers due_;
  Trackers resting_;  // told within kInterval; the first to be looked at again in front
  std::deque<Handout> handouts_;
  size_t handout_bytes_ = 0;
  MemoryShare memory_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_PRESENCE_DESK_H_
