#include "server/grpc/slice_cache.h"

#include <grpc/slice.h>

#include <cstdint>

namespace crier {
namespace {

grpc::Slice Make(const Slice& run) {
  if (run.chunk == nullptr || run.size < SliceCache::kShareFrom) {
    return grpc::Slice(run.data, run.size);
  }
  run.chunk->Ref();
  return grpc::Slice(grpc_slice_new_with_user_data(
                         const_cast<char*>(run.data), run.size,
                         [](void* chunk) { static_cast<const Chunk*>(chunk)->Unref(); },
                         const_cast<Chunk*>(run.chunk)),
                     grpc::Slice::STEAL_REF);
}

}  // namespace

grpc::Slice SliceCache::Get(const Slice& run) {
  if (run.chunk == nullptr) return Make(run);
  // Runs begin some tens of bytes apart: the multiplication spreads them over the entries.
  const uint64_t hash = reinterpret_cast<uintptr_t>(run.data) * 0x9E3779B97F4A7C15u;
  Entry& entry = entries_[hash >> 60];
  static_assert(kEntries == 16);
  if (entry.data == run.data && entry.size == run.size) return entry.slice;
  run.chunk->Ref();
  entry.chunk = ChunkPtr(const_cast<Chunk*>(run.chunk));
  entry.data = run.data;
  entry.size = run.size;
  entry.slice = Make(run);
  return entry.slice;
}

void SliceCache::Clear() { entries_.fill(Entry{}); }

}  // namespace crier
