// A topic's log in one encoding: an append-only run of encoded events, each with an offset, of
// which any run is a valid transmission. The log is the queue: whoever reads keeps an offset, and
// nothing is copied or queued for it.
//
// A log has one writer, its topic's home shard. Shards that only read hold a replica: the same
// chunks, and their own idea of head and tail, moved forward by LogDeltas that the writer sends.
#ifndef CRIER_SERVER_ENGINE_EVENT_LOG_H_
#define CRIER_SERVER_ENGINE_EVENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "server/base/clock.h"
#include "server/engine/chunk.h"
#include "server/engine/options.h"

namespace crier {

// What a replica needs to catch up with its log.
struct LogDelta {
  absl::InlinedVector<ChunkPtr, 1> chunks;  // those the replica may not have yet, oldest first
  uint64_t head = 0;
  uint64_t tail = 1;
};

// Events that lie side by side in one chunk.
struct EventRun {
  const Chunk* chunk = nullptr;
  const char* data = nullptr;
  size_t size = 0;
  uint64_t first = 0;  // offsets, both included
  uint64_t last = 0;
  bool empty() const { return chunk == nullptr; }
};

// Events of `chunk` from offset `from` to at most `last`: about `budget` bytes, but at least one
// event. REQUIRES: the chunk holds both offsets.
EventRun ReadChunk(const Chunk& chunk, uint64_t from, uint64_t last, size_t budget);

// Not thread-safe; the chunks it hands out are readable on any thread up to the run's last offset.
class EventLog {
 public:
  // `limits` outlives the log. `base`: the offset before the first one that Append will give out.
  explicit EventLog(const LogLimits& limits, uint64_t base = 0);

  // Goes on behind this offset. REQUIRES: nothing is kept, and there is no replica.
  void MoveTo(uint64_t base) {
    head_ = base;
    tail_ = base + 1;
  }

  // The last offset given out; 0: none yet.
  uint64_t head() const { return head_; }
  // The oldest offset kept; head() + 1: none.
  uint64_t tail() const { return tail_; }
  // Of the events from tail to head. REQUIRES: this is no replica.
  size_t bytes() const { return bytes_; }
  // Memory of its chunks, in bytes.
  size_t memory() const { return memory_; }

  // --- Writing.

  // Appends one event that was received `at`, as offset head() + 1, and moves the tail to keep the
  // limits on bytes and events. The newest event is kept in any case. REQUIRES: `event` is not
  // empty.
  void Append(std::string_view event, TimePoint at);

  // Drops what is older than the age limit. Returns true where the tail moved.
  bool ExpireBefore(TimePoint now);

  // Drops the events before `offset`. REQUIRES: offset <= head() + 1.
  void DropBefore(uint64_t offset);

  // Gives way to others: drops about half of its memory, or all of it where it is one chunk, but
  // nothing from offset `keep_from` on.
  void Shrink(uint64_t keep_from);

  // What was added since the last call, for replicas that have all that came before.
  LogDelta TakeDelta();
  // The whole log, for a new replica.
  LogDelta Snapshot() const;
  // For a replica.
  void Apply(const LogDelta& delta);

  // --- Reading.

  // Events from offset `from` on, at most about `budget` bytes of them but at least one; all in one
  // chunk, so there may be more behind. Empty at the head. REQUIRES: from >= tail().
  EventRun Read(uint64_t from, size_t budget) const;

  // When the event was received. REQUIRES: tail() <= offset <= head().
  TimePoint ReceivedAt(uint64_t offset) const;

 private:
  size_t ChunkIndexOf(uint64_t offset) const;
  const Chunk& ChunkOf(uint64_t offset) const { return *chunks_[ChunkIndexOf(offset)]; }
  uint64_t LastOffsetOf(size_t chunk_index) const;
  void AddChunk(size_t event_size, TimePoint at);
  void DropOldest();
  void EnforceLimits();
  void FreeChunks();

  const LogLimits* limits_;
  // Oldest first; few (1 MiB / 64 KiB), so erasing the front is cheap.
  absl::InlinedVector<ChunkPtr, 1> chunks_;
  uint64_t head_;
  uint64_t tail_;
  size_t bytes_ = 0;        // of the events from tail to head
  size_t memory_ = 0;       // of the chunks
  uint64_t announced_ = 0;  // first offset of the newest chunk that TakeDelta has returned
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_EVENT_LOG_H_
