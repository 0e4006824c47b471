#include "server/engine/topic.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/presence_log.h"
#include "server/engine/presence_tracker.h"
#include "server/engine/shard.h"
#include "server/engine/topic_users.h"

namespace crier {
namespace {

// A slice is a turn's worth of encoding, of the order of 100 us.
constexpr size_t kSliceBytes = 16 << 10;
// Of those that resume at about the same place, most get what the first one had encoded.
constexpr size_t kKeptSlices = 16;
// The store's table: a pointer and its control byte, at a load of a half.
constexpr size_t kTableSlot = 2 * (2 * sizeof(void*) + 1);
// So few events cannot overrun anybody.
constexpr uint64_t kFewEvents = 64;

}  // namespace

struct Topic::EncodedLog {
  const Encoding* encoding;
  EventLog log;
  std::vector<LogSlice> slices;  // older events than the log's, the newest slice last
};

// What only a topic has that somebody follows.
struct Topic::Followed {
  explicit Followed(Histogram* seconds) : handed(seconds) {}

  std::vector<std::unique_ptr<EncodedLog>> logs;  // besides the canonical one
  struct Reader {
    size_t shard;
    const Encoding* encoding;
  };
  std::vector<Reader> readers;
  const std::shared_ptr<FollowerCount> follower_count = std::make_shared<FollowerCount>();
  HandedTracker handed;
  uint64_t untold = 0;  // events since the feeds were told last
  HeldSessions held;
  TopicUsers users;
  std::unique_ptr<PresenceTracker> presence;  // while somebody watches
};

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

// --- Feeds.

FeedStart Topic::AddFeed(size_t shard, const Encoding* encoding) {
  if (followed_ == nullptr) {
    followed_ = std::make_unique<Followed>(&home_->metrics().ws_broadcast_seconds);
  }
  const EventLog* log = &canonical_;
  if (encoding != &CanonicalEncoding()) {
    EncodedLog* encoded = Find(encoding);
    if (encoded == nullptr) {
      followed_->logs.push_back(std::make_unique<EncodedLog>(
          EncodedLog{.encoding = encoding,
                     .log = EventLog(home_->options().topic_log, canonical_.head()),
                     .slices = {}}));
      encoded = followed_->logs.back().get();
    }
    log = &encoded->log;
  }
  followed_->readers.push_back({.shard = shard, .encoding = encoding});
  followed_->handed.AddReader(shard, encoding, log->head());
  Account();
  FeedStart start;
  start.epoch = epoch_;
  start.follower_count = followed_->follower_count;
  if (shard == home_->index()) {
    start.home_log = log;
  } else {
    start.snapshot = log->Snapshot();
  }
  return start;
}

void Topic::RemoveFeed(size_t shard, const Encoding* encoding) {
  assert(followed_ != nullptr);
  std::erase_if(followed_->readers, [&](const auto& reader) {
    return reader.shard == shard && reader.encoding == encoding;
  });
  last_used = home_->clock().Now();
  followed_->handed.RemoveReader(shard, encoding, last_used);
  ReleaseHeld();
  const bool still = std::any_of(followed_->readers.begin(), followed_->readers.end(),
                                 [&](const auto& reader) { return reader.encoding == encoding; });
  if (!still) {
    std::erase_if(followed_->logs,
                  [&](const auto& encoded) { return encoded->encoding == encoding; });
  }
  if (followed_->readers.empty()) {
    Unwatch();
    followed_.reset();
  }
  Account();
}

void Topic::Handed(size_t shard, const Encoding* encoding, uint64_t offset) {
  if (followed_ == nullptr) return;
  followed_->handed.Handed(shard, encoding, offset, home_->clock().Now());
  ReleaseHeld();
}

void Topic::ReleaseHeld() {
  if (!followed_->held.empty() && !Congested()) followed_->held.ReleaseAll(home_);
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

void Topic::TellFeeds() {
  if (followed_ == nullptr) return;
  followed_->untold = 0;
  const auto tell = [this](const Encoding* encoding, EventLog* log) {
    LogDelta delta;
    bool taken = false;
    for (const Followed::Reader& reader : followed_->readers) {
      if (reader.encoding != encoding) continue;
      if (reader.shard == home_->index()) {
        home_->feeds().Moved(name_, encoding);
        continue;
      }
      if (!std::exchange(taken, true)) delta = log->TakeDelta();
      home_->mail().Send(reader.shard, LogMovedMail{name_, encoding, epoch_, delta});
    }
  };
  tell(&CanonicalEncoding(), &canonical_);
  for (const auto& encoded : followed_->logs) tell(encoded->encoding, &encoded->log);
}

// --- Slices.

LogSlice Topic::Slice(const Encoding* encoding, uint64_t from) {
  from = std::max(from, canonical_.tail());
  if (from > canonical_.head()) return {.chunk = {}, .first = from, .last = from - 1};
  EncodedLog* encoded = Find(encoding);
  assert(encoded != nullptr);
  for (const LogSlice& kept : encoded->slices) {
    if (kept.first <= from && from <= kept.last) {
      return {.chunk = kept.chunk, .first = from, .last = kept.last};
    }
  }
  // About as many events as fit; one always does.
  v1::ServerFrame frame;
  size_t bytes = 0;
  LogSlice slice{.chunk = {}, .first = from, .last = from};
  std::vector<std::string> events;
  for (uint64_t offset = from; offset <= canonical_.head() && bytes < kSliceBytes; ++offset) {
    const EventRun run = canonical_.Read(offset, 0);
    frame.ParseFromArray(run.data, static_cast<int>(run.size));
    Encode(*encoding, frame.events(0), &events.emplace_back());
    bytes += events.back().size();
    slice.last = offset;
  }
  slice.chunk = Chunk::Create(from, bytes, events.size(), canonical_.ReceivedAt(from));
  for (uint64_t offset = from; offset <= slice.last; ++offset) {
    slice.chunk->TryAppend(events[offset - from], canonical_.ReceivedAt(offset));
  }
  if (encoded->slices.size() == kKeptSlices) encoded->slices.erase(encoded->slices.begin());
  encoded->slices.push_back(slice);
  Account();
  return slice;
}

void Topic::DropSlices() {
  if (followed_ == nullptr) return;
  for (const auto& encoded : followed_->logs) encoded->slices = {};
  Account();
}

// --- Presence.

void Topic::SetFollower(const std::string& user, bool here) {
  if (followed_ == nullptr) return;
  TopicUsers& users = followed_->users;
  const bool changed = !user.empty() && (here ? users.Add(user) : users.Remove(user));
  if (PresenceTracker* const tracker = presence()) {
    if (changed) tracker->Change(user, here);
    home_->topics().presence().Changed(tracker);
  }
  Account();
}

void Topic::Watch() {
  if (followed_ == nullptr || followed_->presence != nullptr) return;
  // Before the number is looked at (FollowerCount).
  followed_->follower_count->watched = true;
  followed_->presence = std::make_unique<PresenceTracker>(this);
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

size_t Topic::users() const { return followed_ == nullptr ? 0 : followed_->users.count(); }

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
  return followed_ != nullptr && Find(encoding) != nullptr;
}

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
