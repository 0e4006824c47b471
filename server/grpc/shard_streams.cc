#include "server/grpc/shard_streams.h"

#include <cassert>

#include "server/grpc/stream_session.h"

namespace crier {

void ShardStreams::Tick(TimePoint now) {
  assert(shard_.IsCurrent());
  for (StreamSession* stream : open_) stream->Tick(now);
  slices_.Clear();
}

}  // namespace crier
