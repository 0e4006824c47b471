#include "server/engine/event_log.h"

#include <algorithm>
#include <cassert>

namespace crier {
namespace {

// A log starts small, so that a million quiet topics cost little: room for one event with a body of
// 64 bytes. It doubles its chunks up to a size at which a chunk's own cost no longer shows.
constexpr size_t kFirstChunkBytes = 160;
constexpr size_t kLargestChunkBytes = 64 << 10;
// A chunk is freed as a whole, so a log of sixteen wastes little.
constexpr size_t kChunksPerLog = 16;
// Index entries per chunk: events are seldom shorter.
constexpr size_t kBytesPerEvent = 48;

}  // namespace

EventLog::EventLog(const LogLimits& limits, uint64_t base)
    : limits_(&limits), head_(base), tail_(base + 1) {}

void EventLog::Append(std::string_view event, TimePoint at) {
  assert(!event.empty());
  if (chunks_.empty() || !chunks_.back()->TryAppend(event, at)) {
    AddChunk(event.size(), at);
    const bool appended = chunks_.back()->TryAppend(event, at);
    assert(appended);
    (void)appended;
  }
  ++head_;
  bytes_ += event.size();
  EnforceLimits();
}

void EventLog::AddChunk(size_t event_size, TimePoint at) {
  size_t capacity = kFirstChunkBytes;
  if (!chunks_.empty()) {
    const size_t largest =
        std::clamp(limits_->bytes / kChunksPerLog, kFirstChunkBytes, kLargestChunkBytes);
    capacity = std::min(2 * chunks_.back()->memory(), largest);
  }
  capacity = std::max(capacity, event_size);
  chunks_.push_back(Chunk::Create(head_ + 1, capacity, 1 + capacity / kBytesPerEvent, at));
  memory_ += chunks_.back()->memory();
}

void EventLog::EnforceLimits() {
  // The newest event stays, however large: a log that swallowed what was just accepted would lose
  // it for everyone.
  while (tail_ < head_ && (bytes_ > limits_->bytes || head_ - tail_ + 1 > limits_->events)) {
    DropOldest();
  }
  FreeChunks();
}

void EventLog::DropOldest() {
  const Chunk& chunk = ChunkOf(tail_);
  const size_t index = tail_ - chunk.first_offset();
  bytes_ -= chunk.end_of(index) - chunk.begin_of(index);
  ++tail_;
}

bool EventLog::ExpireBefore(TimePoint now) {
  const uint64_t before = tail_;
  while (tail_ <= head_ && now - ReceivedAt(tail_) > limits_->age) DropOldest();
  FreeChunks();
  return tail_ != before;
}

void EventLog::DropBefore(uint64_t offset) {
  assert(offset <= head_ + 1);
  if (offset == head_ + 1) {
    tail_ = offset;
    bytes_ = 0;
  }
  while (tail_ < offset) DropOldest();
  FreeChunks();
}

void EventLog::Shrink(uint64_t keep_from) {
  if (chunks_.empty()) return;
  const size_t keep = memory_ / 2;
  size_t index = 0;
  for (size_t memory = memory_; index < chunks_.size() && memory > keep; ++index) {
    memory -= chunks_[index]->memory();
  }
  const uint64_t half = index == chunks_.size() ? head_ + 1 : chunks_[index]->first_offset();
  const uint64_t target = std::min({half, keep_from, head_ + 1});
  if (target > tail_) DropBefore(target);
}

void EventLog::FreeChunks() {
  size_t dead = 0;
  while (dead < chunks_.size() && LastOffsetOf(dead) < tail_) {
    memory_ -= chunks_[dead]->memory();
    ++dead;
  }
  if (dead > 0) chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<ptrdiff_t>(dead));
}

LogDelta EventLog::TakeDelta() {
  LogDelta delta{.chunks = {}, .head = head_, .tail = tail_};
  for (const ChunkPtr& chunk : chunks_) {
    if (chunk->first_offset() > announced_) delta.chunks.push_back(chunk);
  }
  if (!chunks_.empty()) announced_ = chunks_.back()->first_offset();
  return delta;
}

LogDelta EventLog::Snapshot() const {
  return LogDelta{.chunks = {chunks_.begin(), chunks_.end()}, .head = head_, .tail = tail_};
}

void EventLog::Apply(const LogDelta& delta) {
  for (const ChunkPtr& chunk : delta.chunks) {
    if (!chunks_.empty() && chunk->first_offset() <= chunks_.back()->first_offset()) continue;
    chunks_.push_back(chunk);
    memory_ += chunk->memory();
  }
  head_ = delta.head;
  tail_ = delta.tail;
  FreeChunks();
}

uint64_t EventLog::LastOffsetOf(size_t chunk_index) const {
  return chunk_index + 1 < chunks_.size() ? chunks_[chunk_index + 1]->first_offset() - 1 : head_;
}

size_t EventLog::ChunkIndexOf(uint64_t offset) const {
  assert(tail_ <= offset && offset <= head_ && !chunks_.empty());
  // Nearly every reader is near the head.
  if (offset >= chunks_.back()->first_offset()) return chunks_.size() - 1;
  const auto after = std::upper_bound(
      chunks_.begin(), chunks_.end(), offset,
      [](uint64_t wanted, const ChunkPtr& c) { return wanted < c->first_offset(); });
  return static_cast<size_t>(after - chunks_.begin()) - 1;
}

EventRun EventLog::Read(uint64_t from, size_t budget) const {
  if (from > head_) return {};
  const size_t index = ChunkIndexOf(from);
  return ReadChunk(*chunks_[index], from, LastOffsetOf(index), budget);
}

EventRun ReadChunk(const Chunk& chunk, uint64_t from, uint64_t last_offset, size_t budget) {
  const size_t first = from - chunk.first_offset();
  size_t last = last_offset - chunk.first_offset();
  const size_t begin = chunk.begin_of(first);
  if (chunk.end_of(last) - begin > budget) {
    last = chunk.IndexEndingAtOrAfter(begin + budget, first, last);
    if (last > first && chunk.end_of(last) - begin > budget) --last;
  }
  return EventRun{.chunk = &chunk,
                  .data = chunk.data() + begin,
                  .size = chunk.end_of(last) - begin,
                  .first = from,
                  .last = chunk.first_offset() + last};
}

TimePoint EventLog::ReceivedAt(uint64_t offset) const {
  const Chunk& chunk = ChunkOf(offset);
  return chunk.received_at(offset - chunk.first_offset());
}

}  // namespace crier
