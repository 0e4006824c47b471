#include "server/engine/handed_tracker.h"

#include <algorithm>
#include <limits>

namespace crier {

void HandedTracker::AddReader(size_t shard, const Encoding* encoding, uint64_t head) {
  readers_.push_back({.shard = shard, .encoding = encoding, .handed = head});
}

void HandedTracker::RemoveReader(size_t shard, const Encoding* encoding, TimePoint now) {
  std::erase_if(readers_,
                [&](const Reader& r) { return r.shard == shard && r.encoding == encoding; });
  Complete(now);
}

void HandedTracker::Published(uint64_t offset, TimePoint received_at, TimePoint now) {
  open_.push_back({.offset = offset, .received_at = received_at});
  if (readers_.empty()) Complete(now);
}

void HandedTracker::Handed(size_t shard, const Encoding* encoding, uint64_t offset, TimePoint now) {
  for (Reader& reader : readers_) {
    if (reader.shard == shard && reader.encoding == encoding) {
      reader.handed = std::max(reader.handed, offset);
    }
  }
  Complete(now);
}

void HandedTracker::Complete(TimePoint now) {
  uint64_t handed = std::numeric_limits<uint64_t>::max();
  for (const Reader& reader : readers_) handed = std::min(handed, reader.handed);
  while (!open_.empty() && open_.front().offset <= handed) {
    seconds_->Observe(Seconds(now - open_.front().received_at));
    open_.pop_front();
  }
}

}  // namespace crier
