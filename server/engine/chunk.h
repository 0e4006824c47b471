// A block of a log: encoded events end to end, and an index of where each ends.
#ifndef CRIER_SERVER_ENGINE_CHUNK_H_
#define CRIER_SERVER_ENGINE_CHUNK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "server/base/clock.h"

namespace crier {

class ChunkPtr;

// Append-only, and of fixed capacity, so that its memory never moves: one thread appends while
// others read the events that they were told of (through a queue, which orders the two).
//
// Counted by reference, in itself rather than by std::shared_ptr: one allocation holds all, and a
// gRPC slice can carry the reference as a plain pointer.
class Chunk {
 public:
  // `first_offset`: of the first event. `base`: no event is older than this.
  static ChunkPtr Create(uint64_t first_offset, size_t byte_capacity, size_t event_capacity,
                         TimePoint base);

  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  // Thread-safe.
  void Ref() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() const;

  uint64_t first_offset() const { return first_offset_; }

  // --- Runs on: the writer's thread.

  // False where it does not fit (or is too young or old for the index): start a new chunk.
  bool TryAppend(std::string_view event, TimePoint at);
  size_t event_count() const { return event_count_; }
  size_t bytes_used() const { return event_count_ == 0 ? 0 : entries()[event_count_ - 1].end; }
  // All memory of this object.
  size_t memory() const;

  // --- Runs on: any thread, for events that this thread was told of.

  const char* data() const { return bytes_begin(); }
  // Where event `index` of this chunk begins and ends, in bytes from data().
  size_t begin_of(size_t index) const { return index == 0 ? 0 : entries()[index - 1].end; }
  size_t end_of(size_t index) const { return entries()[index].end; }
  TimePoint received_at(size_t index) const {
    return base_ + std::chrono::microseconds(entries()[index].age_us);
  }
  // The first index in [low, high] whose end is at or after `position`; high where none is.
  size_t IndexEndingAtOrAfter(size_t position, size_t low, size_t high) const;

 private:
  struct Entry {
    uint32_t end;     // in bytes from the chunk's begin
    uint32_t age_us;  // received so many microseconds after base_
  };

  Chunk(uint64_t first_offset, size_t byte_capacity, size_t event_capacity, TimePoint base);
  ~Chunk() = default;

  // The index and then the bytes lie behind this object, in the same allocation.
  Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
  const Entry* entries() const { return reinterpret_cast<const Entry*>(this + 1); }
  char* bytes_begin() { return reinterpret_cast<char*>(entries() + event_capacity_); }
  const char* bytes_begin() const {
    return reinterpret_cast<const char*>(entries() + event_capacity_);
  }

  mutable std::atomic<uint32_t> refs_{1};
  const uint32_t byte_capacity_;
  const uint32_t event_capacity_;
  uint32_t event_count_ = 0;  // the writer's
  const uint64_t first_offset_;
  const TimePoint base_;
};

// Owns a reference to a chunk.
class ChunkPtr {
 public:
  ChunkPtr() = default;
  // Takes over a reference that the caller owns.
  explicit ChunkPtr(Chunk* adopted) : chunk_(adopted) {}
  ChunkPtr(const ChunkPtr& other) : chunk_(other.chunk_) {
    if (chunk_ != nullptr) chunk_->Ref();
  }
  ChunkPtr(ChunkPtr&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}
  ChunkPtr& operator=(ChunkPtr other) noexcept {
    std::swap(chunk_, other.chunk_);
    return *this;
  }
  ~ChunkPtr() {
    if (chunk_ != nullptr) chunk_->Unref();
  }

  Chunk* get() const { return chunk_; }
  Chunk* operator->() const { return chunk_; }
  Chunk& operator*() const { return *chunk_; }

 private:
  Chunk* chunk_ = nullptr;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_CHUNK_H_
