#include "server/engine/presence_desk.h"

#include <cassert>
#include <utility>

#include "server/engine/presence_log.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

constexpr size_t kMostUsersInSnapshot = 1000;

// Also the offset of the next change, which is where a session goes on that was told of this one.
uint64_t VersionOf(const Topic& log) { return log.canonical().head() + 1; }

// Who is there, at the version that the log of changes has reached. REQUIRES: no change is untold.
std::shared_ptr<const v1::Event> SnapshotOf(PresenceTracker* tracker, const Topic& log) {
  if (auto made = tracker->snapshot()) return made;
  const Topic& topic = tracker->topic();
  auto event = std::make_shared<v1::Event>();
  v1::Presence& presence = *event->mutable_presence();
  presence.set_topic(topic.name());
  topic.DescribeAll(kMostUsersInSnapshot, &presence);
  presence.set_version(VersionOf(log));
  tracker->set_snapshot(event);
  return event;
}

}  // namespace

PresenceDesk::PresenceDesk(Shard* shard)
    : shard_(*shard), memory_(&shard->memory(), MemoryKind::kTopics) {}

void PresenceDesk::AskForSnapshot(std::string_view name, const SnapshotAsker& asker) {
  Topic* topic = shard_.topics().Find(name);
  PresenceTracker* tracker = topic == nullptr ? nullptr : topic->presence();
  Topic* log = shard_.topics().Find(PresenceLogOf(name));
  // Who asked watches no longer.
  if (tracker == nullptr || log == nullptr) return Refuse(asker);
  if (!tracker->all_known()) {
    tracker->Wait(asker);
    return topic->Account();
  }
  tracker->Begin(topic->all_followers());
  if (tracker->HasChanged(topic->all_followers())) {
    tracker->Wait(asker);
    topic->Account();
    return Changed(tracker);
  }
  shard_.mail().Send(asker.session.shard, SnapshotMail{asker, SnapshotOf(tracker, *log)});
}

void PresenceDesk::AllKnown(PresenceTracker* tracker) {
  tracker->SetAllKnown();
  if (!tracker->IsAwaited()) return;
  tracker->Begin(tracker->topic().all_followers());
  Changed(tracker);
}

void PresenceDesk::Refuse(const SnapshotAsker& asker) {
  shard_.mail().Send(asker.session.shard, SnapshotMail{asker, nullptr});
}

void PresenceDesk::Tick(TimePoint now) {
  // Runs on: shard thread
  while (!resting_.empty() && now - resting_.front().told_at() >= kInterval) {
    PresenceTracker& tracker = resting_.front();
    resting_.pop_front();
    if (tracker.HasNews(tracker.topic().all_followers())) due_.push_back(tracker);
  }
  for (size_t i = 0; i < kMostToldPerTick && !due_.empty(); ++i) {
    // Later, where there is no room now: what is collected does not grow by that.
    if (!shard_.topics().MakeRoom()) break;
    PresenceTracker& tracker = due_.front();
    due_.pop_front();
    Tell(&tracker, now);
  }
  HandOut();
}

void PresenceDesk::Tell(PresenceTracker* tracker, TimePoint now) {
  Topic& topic = tracker->topic();
  Topic* const log = shard_.topics().Find(PresenceLogOf(topic.name()));
  assert(log != nullptr);
  if (const uint64_t sessions = topic.all_followers(); tracker->HasChanged(sessions)) {
    v1::Event event;
    v1::PresenceChange& change = *event.mutable_presence_change();
    change.set_topic(topic.name());
    tracker->TakeChange(sessions, now, &change);
    change.set_sessions(sessions);
    change.set_user_count(topic.all_users());
    change.set_version(VersionOf(*log) + 1);
    shard_.topics().AppendChange(log, event);
    resting_.push_back(*tracker);
  }
  if (tracker->IsAwaited()) {
    Handout& handout = handouts_.emplace_back();
    handout.event = SnapshotOf(tracker, *log);
    handout.askers = tracker->TakeWaiting();
    handout.bytes =
        handout.event->SpaceUsedLong() + handout.askers.capacity() * sizeof(SnapshotAsker);
    handout_bytes_ += handout.bytes;
    memory_.Set(handout_bytes_);
  }
  topic.Account();
}

// Sends the snapshots, in the order in which they were made. Each stands for its place in the log,
// so it is not wrong when it leaves in a later tick.
void PresenceDesk::HandOut() {
  for (size_t i = 0; i < kMostSnapshotsPerTick && !handouts_.empty(); ++i) {
    Handout& handout = handouts_.front();
    const SnapshotAsker asker = handout.askers.back();
    handout.askers.pop_back();
    shard_.mail().Send(asker.session.shard, SnapshotMail{asker, handout.event});
    if (!handout.askers.empty()) continue;
    handout_bytes_ -= handout.bytes;
    handouts_.pop_front();
  }
  memory_.Set(handout_bytes_);
}

}  // namespace crier
