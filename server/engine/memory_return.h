// Gives freed memory back to the system once clients make the server keep less than they did.
//
// glibc keeps what is freed for the next allocation, unless it lies at the end of its heap. That is
// right for a busy server, and would let an idle one look as large as it ever was.
#ifndef CRIER_SERVER_ENGINE_MEMORY_RETURN_H_
#define CRIER_SERVER_ENGINE_MEMORY_RETURN_H_

#include <chrono>
#include <cstdint>

#include "server/base/clock.h"
#include "server/engine/memory_budget.h"

namespace crier {

// Not thread-safe. Runs on one shard.
class MemoryReturn {
 public:
  // Looks so often. A trim blocks who allocates for some milliseconds for each 100 MiB, so memory
  // that is less than a quarter of what was used is kept.
  static constexpr std::chrono::seconds kInterval{10};
  static constexpr int64_t kLeastBytes = 8 << 20;

  // `budget` outlives this object.
  explicit MemoryReturn(const MemoryBudget* budget) : budget_(*budget) {}

  // True where freed memory is to be given back now. To be called at least once a second.
  bool IsDue(TimePoint now);
  // Gives it back.
  static void Trim();

 private:
  const MemoryBudget& budget_;
  int64_t most_ = 0;  // used since the last trim
  TimePoint next_look_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_MEMORY_RETURN_H_
