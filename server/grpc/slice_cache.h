// Turns runs of a log into gRPC slices, so that all streams at the same cursor share one.
#ifndef CRIER_SERVER_GRPC_SLICE_CACHE_H_
#define CRIER_SERVER_GRPC_SLICE_CACHE_H_

#include <grpcpp/support/slice.h>

#include <array>
#include <cstddef>

#include "server/engine/session.h"

namespace crier {

// Remembers the slices that it made last. In a fan-out the first stream's slice serves all others
// that ask for the same run: each takes a reference to it, and no byte is copied.
//
// Runs on: one shard's thread.
class SliceCache {
 public:
  // Smaller runs are copied, so that a stream that waits long to send a few bytes does not keep a
  // whole chunk (64 KiB) of a log in memory.
  static constexpr size_t kShareFrom = 512;

  grpc::Slice Get(const Slice& run);

  // Lets go of the logs' memory. To be called now and then; a miss costs one allocation.
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
