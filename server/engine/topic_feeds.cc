// Topic: who reads its logs, and the older events that they ask for.
#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"
#include "server/engine/topic_followed.h"

namespace crier {
namespace {

// A slice is a turn's worth of encoding, of the order of 100 us.
constexpr size_t kSliceBytes = 16 << 10;
// Of those that resume at about the same place, most get what the first one had encoded.
constexpr size_t kKeptSlices = 16;

// Appends the event, which has a message, never nothing (see Topic::Encode).
void AppendMessage(const Encoding& encoding, const v1::Event& event, std::string* out) {
  encoding.Append(event, out);
  if (!out->empty()) return;
  const v1::Message& message = event.message();
  v1::Event instead;
  v1::Gap& gap = *instead.mutable_gap();
  gap.set_topic(message.topic());
  gap.set_epoch(message.epoch());
  gap.set_first(message.offset());
  gap.set_last(message.offset());
  gap.set_reason(v1::UNENCODABLE);
  encoding.Append(instead, out);
}

}  // namespace

// --- Feeds.

void Topic::AddFeed(const TopicReader& reader, bool begun) {
  if (followed_ == nullptr) {
    followed_ = std::make_unique<Followed>(&home_->metrics().ws_broadcast_seconds);
    followed_->begun = begun;
  }
  if (reader.encoding != &CanonicalEncoding() && Find(reader.encoding) == nullptr) {
    followed_->logs.push_back(std::make_unique<EncodedLog>(
        EncodedLog{.encoding = reader.encoding,
                   .log = EventLog(home_->options().topic_log, canonical_.head()),
                   .slices = {}}));
  }
  followed_->readers.push_back(reader);
  followed_->handed.AddReader(reader.shard, reader.encoding, canonical_.head());
  Account();
}

void Topic::StartFeed(const TopicReader& reader) {
  if (!followed_->begun) return;
  home_->mail().Send(reader.shard,
                     FollowedMail{name_, reader.encoding, reader.ticket, StartOf(reader)});
}

FeedStart Topic::StartOf(const TopicReader& reader) {
  const EncodedLog* const encoded = Find(reader.encoding);
  const EventLog* const log = encoded == nullptr ? &canonical_ : &encoded->log;
  FeedStart start;
  start.epoch = epoch_;
  start.follower_count = followed_->follower_count;
  if (reader.shard == home_->index()) {
    start.home_log = log;
  } else {
    start.snapshot = log->Snapshot();
  }
  return start;
}

void Topic::Begin(uint64_t epoch, uint64_t base, bool complete) {
  // Runs on: home shard thread
  assert(home_->IsCurrent() && followed_ != nullptr);
  epoch_ = epoch;
  canonical_ = EventLog(home_->options().topic_log, base);
  followed_->slices.clear();
  for (const auto& encoded : followed_->logs) {
    encoded->log = EventLog(home_->options().topic_log, base);
    encoded->slices.clear();
  }
  followed_->handed.BeginAnew(base);
  followed_->untold = 0;
  ReleaseHeld();
  Account();
  const bool first = !std::exchange(followed_->begun, true);
  // A copy: who is told on this shard may come and go at once.
  const std::vector<TopicReader> readers = followed_->readers;
  for (const TopicReader& reader : readers) {
    if (first) {
      StartFeed(reader);
    } else {
      home_->mail().Send(reader.shard,
                         BegunMail{name_, reader.encoding, StartOf(reader), complete});
    }
  }
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

void Topic::TellFeeds() {
  if (followed_ == nullptr) return;
  followed_->untold = 0;
  const auto tell = [this](const Encoding* encoding, EventLog* log) {
    LogDelta delta;
    bool taken = false;
    for (const TopicReader& reader : followed_->readers) {
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
  if (const LogSlice* kept = FindSlice(encoding, from)) {
    return {.chunk = kept->chunk, .first = from, .last = kept->last};
  }
  from = std::max(from, canonical_.tail());
  if (from > canonical_.head()) return {.chunk = {}, .first = from, .last = from - 1};
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
  KeepSlice(encoding, slice);
  return slice;
}

void Topic::KeepSlice(const Encoding* encoding, LogSlice slice) {
  EncodedLog* const encoded = Find(encoding);
  std::vector<LogSlice>& slices = encoded == nullptr ? followed_->slices : encoded->slices;
  if (slices.size() == kKeptSlices) slices.erase(slices.begin());
  slices.push_back(std::move(slice));
  Account();
}

const LogSlice* Topic::FindSlice(const Encoding* encoding, uint64_t from) const {
  const EncodedLog* const encoded = Find(encoding);
  for (const LogSlice& kept : encoded == nullptr ? followed_->slices : encoded->slices) {
    if (kept.first <= from && from <= kept.last) return &kept;
  }
  return nullptr;
}

bool Topic::KeptSlice(const Encoding* encoding, uint64_t from) const {
  return FindSlice(encoding, from) != nullptr;
}

void Topic::DropSlices() {
  if (followed_ == nullptr) return;
  followed_->slices = {};
  for (const auto& encoded : followed_->logs) encoded->slices = {};
  Account();
}

LogSlice SliceOf(const Encoding& encoding, std::vector<v1::Message> messages, TimePoint now) {
  assert(!messages.empty());
  const uint64_t first = messages.front().offset();
  const uint64_t last = messages.back().offset();
  std::vector<std::string> encoded(messages.size());
  size_t bytes = 0;
  v1::Event event;
  for (size_t i = 0; i < messages.size(); ++i) {
    assert(messages[i].offset() == first + i);
    event.mutable_message()->Swap(&messages[i]);
    AppendMessage(encoding, event, &encoded[i]);
    bytes += encoded[i].size();
  }
  LogSlice slice{
      .chunk = Chunk::Create(first, bytes, encoded.size(), now), .first = first, .last = last};
  // When they were received is not asked of a slice.
  for (const std::string& text : encoded) slice.chunk->TryAppend(text, now);
  return slice;
}

}  // namespace crier
