// Turns runs of a log into gRPC slices, so that all streams at the same cursor share one.
#ifndef CRIER_SERVER_GRPC_SLICE_CACHE_H_
#define CRIER_SERVER_GRPC_SLICE_CACHE_H_

#include <grpcpp/support/slice.h>

#include <array>
#include <cstddef>

#include "server/engine/session.h"

namespace crier {

// Remembers the slices that it made last. In a fan-out the first stream's slice serves all others
// that ask for the same run: the run is copied once, and each stream takes a reference.
//
// It is a copy, and not a view of the log's own memory, because a stream whose peer takes nothing
// keeps its slice for as long as that lasts: of a view it would keep whole chunks, so that every
// slow consumer could hold on to a part of the log of its own (64 KiB and more). A copy costs one
// pass over bytes that each stream's socket copies anyway: no difference could be measured at
// 3 million events per second.
//
// Runs on: one shard's thread.
class SliceCache {
 public:
  grpc::Slice Get(const Slice& run);

  // Lets go of the logs' memory. To be called now and then; a miss costs one copy.
  void Clear();

 private:
  // The bytes of a run never change while its chunk lives, and as long as an entry holds the chunk,
  // no other can take its place in memory. So the address and the size say which run it is.
  struct Entry {
    ChunkPtr chunk;
    const char* data = nullptr;
    size_t size = 0;
    grpc::Slice slice;
  };

  // A few, because one write may span chunks and topics.
  static constexpr size_t kEntries = 16;
  std::array<Entry, kEntries> entries_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_SLICE_CACHE_H_
