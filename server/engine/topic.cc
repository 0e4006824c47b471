#include "server/engine/topic.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/presence_log.h"
#include "server/engine/presence_tracker.h"
#include "server/engine/shard.h"
#include "server/engine/topic_followed.h"

namespace crier {
namespace {

// The store's table: a pointer and its control byte, at a load of a half.
constexpr size_t kTableSlot = 2 * (2 * sizeof(void*) + 1);
// So few events cannot overrun anybody.
constexpr uint64_t kFewEvents = 64;

}  // namespace

Topic::Topic(Shard* home, std::string name, uint64_t epoch)
    : last_used(home->clock().Now()),
      home_(home),
      name_(std::move(name)),
      epoch_(epoch),
      canonical_(home->options().topic_log) {
  if (!IsPresenceLog(name_)) home_->metrics().topics.Add(1);
  Account();
}

Topic::~Topic() {
  home_->memory().Add(MemoryKind::kLogs, -static_cast<int64_t>(accounted_logs_));
  home_->memory().Add(MemoryKind::kTopics, -static_cast<int64_t>(accounted_rest_));
  if (!IsPresenceLog(name_)) home_->metrics().topics.Add(-1);
}

PublishResult Topic::Publish(Publication* publication) {
  // Runs on: home shard thread
  assert(home_->IsCurrent());
  const TimePoint now = home_->clock().Now();
  const TimePoint received_at = publication->arrival.at;
  v1::Message& message = publication->message;
  const uint64_t offset = canonical_.head() + 1;
  message.set_offset(offset);
  message.set_epoch(epoch_);
  v1::Event& event = home_->scratch_event();
  event.mutable_message()->Swap(&message);
  Append(&canonical_, CanonicalEncoding(), event, received_at);
  PublishResult result{.epoch = epoch_, .offset = offset};
  if (followed_ == nullptr) {
    home_->metrics().ws_broadcast_seconds.Observe(Seconds(now - received_at));
  } else {
    for (const auto& encoded : followed_->logs) {
      Append(&encoded->log, *encoded->encoding, event, received_at);
    }
    followed_->handed.Published(offset, received_at, now);
    result.recipients = followed_->follower_count->sessions.load();
    if (Congested()) followed_->held.Hold(home_, publication->reply.session);
    // Before the tail can pass a cursor that keeps up.
    if (++followed_->untold >= home_->options().topic_log.events / 4 ||
        followed_->untold * average_bytes() >= home_->options().topic_log.bytes / 4) {
      home_->HurryFlush();
    }
    MarkDirty();
  }
  last_used = now;
  Account();
  return result;
}

void Topic::Append(EventLog* log, const Encoding& encoding, const v1::Event& event, TimePoint at) {
  std::string& bytes = home_->scratch_bytes();
  bytes.clear();
  Encode(encoding, event, &bytes);
  log->Append(bytes, at);
}

// Appends the event to *out, never nothing: what an encoding has no form for is a gap of one event,
// so that nobody waits for it.
void Topic::Encode(const Encoding& encoding, const v1::Event& event, std::string* out) {
  const size_t before = out->size();
  encoding.Append(event, out);
  if (out->size() > before) return;
  v1::Event instead;
  v1::Gap& gap = *instead.mutable_gap();
  gap.set_topic(std::string(TopicOf(name_)));
  gap.set_presence(IsPresenceLog(name_));
  gap.set_epoch(epoch_);
  // A change of presence is always the newest.
  gap.set_first(event.has_message() ? event.message().offset() : canonical_.head());
  gap.set_last(gap.first());
  gap.set_reason(v1::UNENCODABLE);
  encoding.Append(instead, out);
  assert(out->size() > before);
  home_->metrics().events_skipped[static_cast<size_t>(SkipKind::kUnencodable)].Add();
}

size_t Topic::average_bytes() const {
  const uint64_t kept = canonical_.head() + 1 - canonical_.tail();
  return kept == 0 ? 0 : canonical_.bytes() / kept;
}

bool Topic::Congested() const {
  const LogLimits& limits = home_->options().topic_log;
  const uint64_t behind = canonical_.head() - followed_->handed.handed_by_all(canonical_.head());
  if (behind < kFewEvents) return false;
  return behind > limits.events / 2 || behind * average_bytes() > limits.bytes / 2;
}

// --- Presence.

void Topic::SetFollower(const std::string& user, bool here) {
  if (followed_ == nullptr) return;
  TopicUsers& users = followed_->users;
  const bool changed = !user.empty() && (here ? users.Add(user) : users.Remove(user));
  if (PresenceTracker* const tracker = presence()) {
    if (changed && tracker->elsewhere().Has(user)) {
      tracker->AddBoth(here);
    } else if (changed) {
      tracker->Change(user, here);
    }
    home_->topics().presence().Changed(tracker);
  }
  Account();
  if (changed) home_->topics().FollowerChanged(*this, user, here);
}

void Topic::SetFollowersElsewhere(const FollowersElsewhere& change) {
  PresenceTracker& tracker = *presence();
  TopicUsers& elsewhere = tracker.elsewhere();
  const auto set = [&](const std::string& user, bool there) {
    if (!(there ? elsewhere.Add(user) : elsewhere.Remove(user))) return;
    if (followed_->users.Has(user)) {
      tracker.AddBoth(there);
    } else {
      tracker.Change(user, there);
    }
  };
  for (const std::string& user : change.joined) set(user, true);
  for (const std::string& user : change.left) set(user, false);
  tracker.AddSessionsElsewhere(change.sessions);
  home_->topics().presence().Changed(&tracker);
  Account();
}

void Topic::Watch(bool shared) {
  if (followed_ == nullptr || followed_->presence != nullptr) return;
  // Before the number is looked at (FollowerCount).
  followed_->follower_count->watched = true;
  followed_->presence = std::make_unique<PresenceTracker>(this, shared);
  Account();
}

void Topic::Unwatch() {
  if (presence() == nullptr) return;
  followed_->follower_count->watched = false;
  const std::unique_ptr<PresenceTracker> tracker = std::move(followed_->presence);
  Account();
  for (const auto& asker : tracker->TakeWaiting()) home_->topics().presence().Refuse(asker);
}

PresenceTracker* Topic::presence() const {
  return followed_ == nullptr ? nullptr : followed_->presence.get();
}

uint64_t Topic::all_followers() const { return followers() + presence()->sessions_elsewhere(); }

size_t Topic::all_users() const {
  return followed_->users.count() + presence()->users_only_elsewhere();
}

void Topic::DescribeAll(size_t most, v1::Presence* presence_of_all) const {
  DescribePresence(most, presence_of_all);
  presence()->elsewhere().Describe(most, presence_of_all, &followed_->users);
  presence_of_all->set_sessions(all_followers());
  presence_of_all->set_user_count(all_users());
}

void Topic::AppendChange(const v1::Event& change) {
  // Runs on: home shard thread
  assert(home_->IsCurrent() && IsPresenceLog(name_) && followed_ != nullptr);
  const TimePoint now = home_->clock().Now();
  Append(&canonical_, CanonicalEncoding(), change, now);
  for (const auto& encoded : followed_->logs) {
    Append(&encoded->log, *encoded->encoding, change, now);
  }
  MarkDirty();
  last_used = now;
  Account();
}

uint64_t Topic::followers() const {
  return followed_ == nullptr ? 0 : followed_->follower_count->sessions.load();
}

void Topic::DescribePresence(size_t most, v1::Presence* presence) const {
  if (followed_ == nullptr) return;
  presence->set_sessions(followed_->follower_count->sessions.load());
  followed_->users.Describe(most, presence);
}

// --- Giving way.

void Topic::Expire(TimePoint now) {
  bool moved = canonical_.ExpireBefore(now);
  if (followed_ != nullptr) {
    for (const auto& encoded : followed_->logs) moved |= encoded->log.ExpireBefore(now);
  }
  Account();
  if (moved) MarkDirty();
}

void Topic::Shrink() {
  // Who keeps up loses nothing.
  const uint64_t keep_from = followed_ == nullptr
                                 ? canonical_.head() + 1
                                 : followed_->handed.handed_by_all(canonical_.head()) + 1;
  canonical_.Shrink(keep_from);
  if (followed_ != nullptr) {
    for (const auto& encoded : followed_->logs) encoded->log.Shrink(keep_from);
  }
  Account();
  MarkDirty();
}

TimePoint Topic::oldest() const {
  if (canonical_.tail() > canonical_.head()) return last_used;
  return canonical_.ReceivedAt(canonical_.tail());
}

bool Topic::FollowedIn(const Encoding* encoding) const {
  if (followed_ == nullptr) return false;
  return std::any_of(followed_->readers.begin(), followed_->readers.end(),
                     [&](const TopicReader& reader) { return reader.encoding == encoding; });
}

bool Topic::begun() const { return followed_ == nullptr || followed_->begun; }

Topic::EncodedLog* Topic::Find(const Encoding* encoding) const {
  for (const auto& encoded : followed_->logs) {
    if (encoded->encoding == encoding) return encoded.get();
  }
  return nullptr;
}

void Topic::MarkDirty() {
  if (followed_ != nullptr && !std::exchange(dirty, true)) home_->topics().MarkMoved(this);
}

size_t Topic::MemoryOfLogs() const {
  size_t memory = canonical_.memory();
  if (followed_ == nullptr) return memory;
  for (const LogSlice& slice : followed_->slices) memory += slice.chunk->memory();
  for (const auto& encoded : followed_->logs) {
    memory += encoded->log.memory();
    for (const LogSlice& slice : encoded->slices) memory += slice.chunk->memory();
  }
  return memory;
}

size_t Topic::MemoryOfRest() const {
  size_t memory = sizeof(Topic) + kTableSlot + name_.size();
  if (followed_ != nullptr) {
    memory +=
        sizeof(Followed) + followed_->logs.size() * sizeof(EncodedLog) + followed_->users.memory();
    if (followed_->presence != nullptr) memory += followed_->presence->memory();
  }
  return memory;
}

void Topic::Account() {
  const auto logs = static_cast<uint32_t>(MemoryOfLogs());
  const auto rest = static_cast<uint32_t>(MemoryOfRest());
  if (logs != accounted_logs_) {
    home_->memory().Add(MemoryKind::kLogs, int64_t{logs} - accounted_logs_);
    accounted_logs_ = logs;
  }
  if (rest != accounted_rest_) {
    home_->memory().Add(MemoryKind::kTopics, int64_t{rest} - accounted_rest_);
    accounted_rest_ = rest;
  }
}

}  // namespace crier
