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

void HandedTracker::BeginAnew(uint64_t base) {
  for (Reader& reader : readers_) reader.handed = base;
  open_.clear();
  first_open_ = 0;
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

uint64_t HandedTracker::handed_by_all(uint64_t head) const {
  uint64_t handed = head;
  for (const Reader& reader : readers_) handed = std::min(handed, reader.handed);
  return handed;
}

void HandedTracker::Complete(TimePoint now) {
  const uint64_t handed = handed_by_all(std::numeric_limits<uint64_t>::max());
  while (first_open_ < open_.size() && open_[first_open_].offset <= handed) {
    seconds_->Observe(Seconds(now - open_[first_open_++].received_at));
  }
  if (first_open_ == open_.size()) {
    open_.clear();
    first_open_ = 0;
  } else if (first_open_ > open_.size() / 2) {
    open_.erase(open_.begin(), open_.begin() + static_cast<ptrdiff_t>(first_open_));
    first_open_ = 0;
  }
}

}  // namespace crier
