// What the gRPC streams of one shard have in common.
#ifndef CRIER_SERVER_GRPC_SHARD_STREAMS_H_
#define CRIER_SERVER_GRPC_SHARD_STREAMS_H_

#include <chrono>

#include "absl/container/flat_hash_set.h"
#include "server/base/clock.h"
#include "server/engine/shard.h"
#include "server/grpc/burst_gate.h"
#include "server/grpc/slice_cache.h"

namespace crier {

class StreamSession;

// Runs on: the shard's thread, but for the constructor, shard, close_timeout and gate.
class ShardStreams {
 public:
  // `shard` outlives this object. `close_timeout`: see GrpcOptions.
  ShardStreams(Shard* shard, std::chrono::milliseconds close_timeout)
      : shard_(*shard), close_timeout_(close_timeout) {}
  ShardStreams(const ShardStreams&) = delete;
  ShardStreams& operator=(const ShardStreams&) = delete;

  Shard& shard() { return shard_; }
  std::chrono::milliseconds close_timeout() const { return close_timeout_; }
  SliceCache& slices() { return slices_; }
  // Closed by the first write of a flush's turns, opened at their end.
  BurstGate& gate() { return gate_; }

  void Add(StreamSession* stream) { open_.insert(stream); }
  void Remove(StreamSession* stream) { open_.erase(stream); }

  // Every kTickInterval.
  void Tick(TimePoint now);

 private:
  Shard& shard_;
  const std::chrono::milliseconds close_timeout_;
  SliceCache slices_;
  BurstGate gate_;
  absl::flat_hash_set<StreamSession*> open_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_SHARD_STREAMS_H_
