#include "server/grpc/slice_cache.h"

#include <cstdint>

namespace crier {

grpc::Slice SliceCache::Get(const Slice& run) {
  if (run.chunk == nullptr) return grpc::Slice(run.data, run.size);
  // Runs begin some tens of bytes apart: the multiplication spreads them over the entries.
  const uint64_t hash = reinterpret_cast<uintptr_t>(run.data) * 0x9E3779B97F4A7C15u;
  Entry& entry = entries_[hash >> 60];
  static_assert(kEntries == 16);
  if (entry.data == run.data && entry.size == run.size) return entry.slice;
  run.chunk->Ref();
  entry.chunk = ChunkPtr(const_cast<Chunk*>(run.chunk));
  entry.data = run.data;
  entry.size = run.size;
  entry.slice = grpc::Slice(run.data, run.size);
  return entry.slice;
}

void SliceCache::Clear() { entries_.fill(Entry{}); }

}  // namespace crier
