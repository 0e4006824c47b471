// Remembers the first result of each publish that carried an id, so that a client may send it again
// after a lost connection without it being published twice.
//
// An id is remembered for its publisher and its target. The target's home shard keeps it, so it
// means the same on one shard and on many.
#ifndef CRIER_SERVER_ENGINE_SENT_IDS_H_
#define CRIER_SERVER_ENGINE_SENT_IDS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "server/base/clock.h"
#include "server/base/name_hash.h"
#include "server/engine/bus.h"
#include "server/engine/memory_budget.h"

namespace crier {

// Bounded by age, by number and by the memory budget, the oldest first to go. Runs on: the home
// shard's thread.
class SentIds {
 public:
  // What an id is unique for. The strings may hold any bytes.
  struct Key {
    std::string_view publisher;
    v1::ActionType action;  // DIRECT: `target` is a user; BROADCAST: a topic
    std::string_view target;
    std::string_view id;
  };

  // `memory` outlives this object.
  SentIds(std::chrono::milliseconds window, size_t most, MemoryMeter* memory)
      : window_(window), most_(most), memory_(*memory) {}
  ~SentIds();

  // The first result for this key, marked as a duplicate's; nullopt: there was none.
  std::optional<PublishResult> Find(const Key& key, TimePoint now);
  // Keeps the result of what Find did not know: of this key, as it was asked last.
  // REQUIRES: result.outcome is kOk; nothing but Expire was called since that Find.
  void Remember(const PublishResult& result, TimePoint now);
  // Forgets what is past its window, at most kMostExpired of it.
  void Expire(TimePoint now);

  size_t size() const { return by_age_.size(); }

 private:
  static constexpr size_t kMostExpired = 10'000;
  struct First {
    NameDigest key;
    TimePoint at;
    uint64_t epoch;
    uint64_t offset;
    uint64_t recipients;
  };
  struct DigestHash {
    size_t operator()(const NameDigest& digest) const { return digest.low; }
  };
  // An entry of both containers, the table's free slots included.
  static constexpr size_t kBytesEach = sizeof(First) + 2 * (sizeof(NameDigest) + sizeof(uint64_t));

  void ForgetOldest();

  const std::chrono::milliseconds window_;
  const size_t most_;
  MemoryMeter& memory_;
  NameDigest asked_{};
  // The number of each, counted from the first one ever.
  absl::flat_hash_map<NameDigest, uint64_t, DigestHash> numbers_;
  std::deque<First> by_age_;  // oldest first
  uint64_t forgotten_ = 0;    // the number of by_age_.front()
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SENT_IDS_H_
