#include "server/engine/chunk.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>

namespace crier {

static_assert(sizeof(Chunk) % alignof(uint32_t) == 0, "the index lies right behind the chunk");

ChunkPtr Chunk::Create(uint64_t first_offset, size_t byte_capacity, size_t event_capacity,
                       TimePoint base) {
  assert(byte_capacity <= std::numeric_limits<uint32_t>::max());
  void* memory = ::operator new(sizeof(Chunk) + event_capacity * sizeof(Entry) + byte_capacity);
  return ChunkPtr(new (memory) Chunk(first_offset, byte_capacity, event_capacity, base));
}

Chunk::Chunk(uint64_t first_offset, size_t byte_capacity, size_t event_capacity, TimePoint base)
    : byte_capacity_(static_cast<uint32_t>(byte_capacity)),
      event_capacity_(static_cast<uint32_t>(event_capacity)),
      first_offset_(first_offset),
      base_(base) {}

void Chunk::Unref() const {
  // Release what this thread did with the chunk to whoever frees it; acquire it there.
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    this->~Chunk();
    ::operator delete(const_cast<Chunk*>(this));
  }
}

bool Chunk::TryAppend(std::string_view event, TimePoint at) {
  const size_t used = bytes_used();
  if (event_count_ == event_capacity_ || event.size() > byte_capacity_ - used) return false;
  const auto age = std::chrono::duration_cast<std::chrono::microseconds>(at - base_).count();
  if (age > std::numeric_limits<uint32_t>::max()) return false;
  std::memcpy(bytes_begin() + used, event.data(), event.size());
  entries()[event_count_] = {.end = static_cast<uint32_t>(used + event.size()),
                             .age_us = static_cast<uint32_t>(std::max<int64_t>(age, 0))};
  ++event_count_;
  return true;
}

size_t Chunk::memory() const {
  return sizeof(Chunk) + event_capacity_ * sizeof(Entry) + byte_capacity_;
}

size_t Chunk::IndexEndingAtOrAfter(size_t position, size_t low, size_t high) const {
  const Entry* found =
      std::lower_bound(entries() + low, entries() + high, position,
                       [](const Entry& entry, size_t wanted) { return entry.end < wanted; });
  return static_cast<size_t>(found - entries());
}

}  // namespace crier
