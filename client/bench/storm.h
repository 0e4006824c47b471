// Sessions that come and go.
#ifndef CRIER_CLIENT_BENCH_STORM_H_
#define CRIER_CLIENT_BENCH_STORM_H_

#include <cstdint>
#include <vector>

#include "client/bench/workload.h"

namespace crier::bench {

// Each client connects, broadcasts once, receives its broadcast, leaves, and connects again, until
// the run ends. It connects again at once, or by the clock if there is a rate.
class Storm : public Workload {
 public:
  explicit Storm(const BenchOptions& options);

  void OnOpen(uint32_t slot, int64_t connect_ns) override;
  void OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) override;
  void OnEnd(uint32_t slot, const SessionEnd& end) override;

 protected:
  absl::Status Execute(Report* report) override;

 private:
  std::vector<int64_t> sent_;    // The stamp awaited; 0: none.
  std::vector<uint32_t> again_;  // Slots to open again.
  uint64_t begun_ = 0;           // Sessions.
  uint64_t completed_ = 0;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_STORM_H_
