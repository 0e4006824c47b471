// Times broadcasts of one topic: from receipt until every shard has handed them to every session
// that could take them.
#ifndef CRIER_SERVER_ENGINE_HANDED_TRACKER_H_
#define CRIER_SERVER_ENGINE_HANDED_TRACKER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/base/clock.h"
#include "server/engine/encoding.h"
#include "server/metrics/instruments.h"

namespace crier {

// Runs on: the topic's home shard.
class HandedTracker {
 public:
  // `seconds` outlives the tracker and gets one observation per broadcast.
  explicit HandedTracker(Histogram* seconds) : seconds_(seconds) {}

  // A reader of the log: the feed of a shard in an encoding.
  void AddReader(size_t shard, const Encoding* encoding, uint64_t head);
  void RemoveReader(size_t shard, const Encoding* encoding, TimePoint now);

  // The log begins anew behind offset `base`: what was not handed over by now is timed no longer.
  void BeginAnew(uint64_t base);

  void Published(uint64_t offset, TimePoint received_at, TimePoint now);
  // That reader has handed over everything up to `offset`.
  void Handed(size_t shard, const Encoding* encoding, uint64_t offset, TimePoint now);
  // The offset that every reader has handed over; `head` where there are none.
  uint64_t handed_by_all(uint64_t head) const;

 private:
  struct Reader {
    size_t shard;
    const Encoding* encoding;
    uint64_t handed;
  };
  struct Broadcast {
    uint64_t offset;
    TimePoint received_at;
  };

  void Complete(TimePoint now);

  Histogram* const seconds_;
  std::vector<Reader> readers_;
  std::vector<Broadcast> open_;  // oldest first, from first_open_ on
  size_t first_open_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_HANDED_TRACKER_H_
