// All that clients can make the process keep, counted by kind against one limit.
//
// A MemoryMeter belongs to a shard and counts with plain adds. It tells the MemoryBudget, which is
// the process's, once per kStep bytes: the sum is right to within a step per shard.
//
// Near the limit what is old and unfollowed gives way (TopicStore, SentIds). At the limit, what
// would grow is refused with OVERLOADED.
#ifndef CRIER_SERVER_ENGINE_MEMORY_BUDGET_H_
#define CRIER_SERVER_ENGINE_MEMORY_BUDGET_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "server/metrics/metrics.h"

namespace crier {

// Thread-safe.
class MemoryBudget {
 public:
  // In bytes.
  explicit MemoryBudget(size_t limit) : limit_(static_cast<int64_t>(limit)) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  void Add(int64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  int64_t used() const { return used_.load(std::memory_order_relaxed); }
  int64_t limit() const { return limit_; }

  // Seven eighths are used: room is to be made.
  bool near_limit() const { return used() > limit_ - limit_ / 8; }
  bool full() const { return used() >= limit_; }

 private:
  const int64_t limit_;
  std::atomic<int64_t> used_{0};
};

// Runs on: the shard's thread, all of it.
class MemoryMeter {
 public:
  // Both outlive the meter.
  MemoryMeter(MemoryBudget* budget, ShardMetrics* metrics) : budget_(*budget), metrics_(*metrics) {}
  ~MemoryMeter() { budget_.Add(untold_); }
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  // So many bytes more (or less) of this kind are kept.
  void Add(MemoryKind kind, int64_t bytes) {
    metrics_.memory[static_cast<size_t>(kind)].Add(bytes);
    untold_ += bytes;
    if (untold_ >= kStep || untold_ <= -kStep) Tell();
  }

  bool near_limit() const { return budget_.near_limit(); }
  bool full() const { return budget_.full(); }

 private:
  static constexpr int64_t kStep = 16 << 10;

  void Tell() {
    budget_.Add(untold_);
    untold_ = 0;
  }

  MemoryBudget& budget_;
  ShardMetrics& metrics_;
  int64_t untold_ = 0;
};

// What one owner keeps, of one kind. It ends with this object. Runs on: the shard's thread.
class MemoryShare {
 public:
  // `meter` outlives this object.
  MemoryShare(MemoryMeter* meter, MemoryKind kind) : meter_(*meter), kind_(kind) {}
  ~MemoryShare() { Set(0); }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  void Set(size_t bytes) {
    if (bytes == bytes_) return;
    meter_.Add(kind_, static_cast<int64_t>(bytes) - static_cast<int64_t>(bytes_));
    bytes_ = static_cast<uint32_t>(bytes);
  }

 private:
  MemoryMeter& meter_;
  const MemoryKind kind_;
  uint32_t bytes_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_MEMORY_BUDGET_H_
