#include "server/engine/topic.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// An empty topic that nobody follows is kept a while, for its epoch: a client that comes back to it
// is then told that it missed nothing.
constexpr std::chrono::minutes kKeptEmpty{10};

}  // namespace

Topic::Topic(Shard* home, std::string name)
    : home_(home),
      name_(std::move(name)),
      epoch_(home->engine().NewEpoch()),
      handed_(&home->metrics().ws_broadcast_seconds),
      dedupe_(home->options().dedupe_window, home->options().dedupe_entries),
      last_used_(home->clock().Now()) {
  logs_.push_back(std::make_unique<EncodedLog>(EncodedLog{
      .encoding = &CanonicalEncoding(), .log = EventLog(home->options().topic_log), .shards = {}}));
  home_->metrics().topics.Add(1);
}

Topic::~Topic() {
  home_->AccountLogMemory(-static_cast<int64_t>(accounted_));
  home_->metrics().topics.Add(-1);
}

void Topic::Publish(Publication publication) {
  // Runs on: home shard thread
  assert(home_->IsCurrent());
  const TimePoint now = home_->clock().Now();
  v1::Message& message = publication.message;
  std::string key;
  if (!message.id().empty() && !publication.publisher.empty()) {
    key = DedupeTable::Key(publication.publisher, message.id());
    if (const PublishResult* first = dedupe_.Find(key, now)) {
      PublishResult result = *first;
      result.duplicate = true;
      if (publication.done) publication.done(result);
      return;
    }
  }

  const uint64_t offset = canonical().head() + 1;
  message.set_offset(offset);
  message.set_epoch(epoch_);
  v1::Event& event = home_->scratch_event();
  event.mutable_message()->Swap(&message);
  std::string& bytes = home_->scratch_bytes();
  for (const auto& encoded : logs_) {
    bytes.clear();
    encoded->encoding->Append(event, &bytes);
    encoded->log.Append(bytes, publication.arrival.at);
  }
  last_used_ = now;
  Account();
  handed_.Published(offset, publication.arrival.at, now);
  MarkDirty();

  const PublishResult result{.outcome = Outcome::kOk,
                             .detail = {},
                             .epoch = epoch_,
                             .offset = offset,
                             .recipients = follower_count_->load(std::memory_order_relaxed)};
  if (!key.empty()) dedupe_.Remember(std::move(key), result, now);
  if (publication.done) publication.done(result);
}

FeedStart Topic::AddFeed(size_t shard, const Encoding* encoding) {
  EncodedLog* encoded = Find(encoding);
  if (encoded == nullptr) {
    logs_.push_back(std::make_unique<EncodedLog>(
        EncodedLog{.encoding = encoding,
                   .log = EventLog(home_->options().topic_log, canonical().head()),
                   .shards = {}}));
    encoded = logs_.back().get();
  }
  encoded->shards.push_back(shard);
  handed_.AddReader(shard, encoding, encoded->log.head());
  FeedStart start;
  start.epoch = epoch_;
  start.follower_count = follower_count_;
  if (shard == home_->index()) {
    start.home_log = &encoded->log;
  } else {
    start.snapshot = encoded->log.Snapshot();
  }
  return start;
}

void Topic::RemoveFeed(size_t shard, const Encoding* encoding) {
  EncodedLog* encoded = Find(encoding);
  assert(encoded != nullptr);
  std::erase(encoded->shards, shard);
  last_used_ = home_->clock().Now();
  handed_.RemoveReader(shard, encoding, last_used_);
  if (encoded->shards.empty() && encoding != &CanonicalEncoding()) {
    std::erase_if(logs_, [&](const auto& other) { return other.get() == encoded; });
    Account();
  }
}

void Topic::ExtendBack(const Encoding* encoding) {
  EncodedLog* encoded = Find(encoding);
  if (encoded == nullptr || encoded->log.tail() <= canonical().tail()) return;
  EventLog longer(home_->options().topic_log, canonical().tail() - 1);
  v1::ServerFrame frame;
  std::string bytes;
  for (uint64_t offset = canonical().tail(); offset <= canonical().head(); ++offset) {
    const EventRun run = canonical().Read(offset, 0);
    frame.ParseFromArray(run.data, static_cast<int>(run.size));
    bytes.clear();
    encoding->Append(frame.events(0), &bytes);
    longer.Append(bytes, canonical().ReceivedAt(offset));
  }
  encoded->log.ReplaceWith(std::move(longer));
  Account();
  MarkDirty();
  TellFeeds();
}

void Topic::Handed(size_t shard, const Encoding* encoding, uint64_t offset) {
  handed_.Handed(shard, encoding, offset, home_->clock().Now());
}

void Topic::TellFeeds() {
  for (const auto& encoded : logs_) {
    LogDelta delta;
    bool taken = false;
    for (const size_t shard : encoded->shards) {
      if (shard == home_->index()) {
        home_->FeedMoved(name_, encoded->encoding);
        continue;
      }
      if (!std::exchange(taken, true)) delta = encoded->log.TakeDelta();
      home_->SendTo(shard, [&target = home_->engine().shard(shard), name = name_,
                            encoding = encoded->encoding, epoch = epoch_,
                            delta] { target.ApplyToFeed(name, encoding, epoch, delta); });
    }
  }
}

bool Topic::Expire(TimePoint now) {
  bool moved = false;
  bool followed = false;
  for (const auto& encoded : logs_) {
    moved |= encoded->log.ExpireBefore(now);
    followed |= !encoded->shards.empty();
  }
  dedupe_.Expire(now);
  Account();
  if (moved) MarkDirty();
  const bool empty = canonical().tail() > canonical().head() && dedupe_.empty();
  return followed || !empty || now - last_used_ < kKeptEmpty;
}

void Topic::Shrink() {
  for (const auto& encoded : logs_) encoded->log.Shrink();
  Account();
  MarkDirty();
}

Topic::EncodedLog* Topic::Find(const Encoding* encoding) {
  for (const auto& encoded : logs_) {
    if (encoded->encoding == encoding) return encoded.get();
  }
  return nullptr;
}

void Topic::MarkDirty() {
  if (!std::exchange(dirty, true)) home_->TopicMoved(this);
}

void Topic::Account() {
  size_t memory = 0;
  for (const auto& encoded : logs_) memory += encoded->log.memory();
  if (memory == accounted_) return;
  home_->AccountLogMemory(static_cast<int64_t>(memory) - static_cast<int64_t>(accounted_));
  accounted_ = memory;
}

}  // namespace crier
