// Clients that only are there.
#ifndef CRIER_CLIENT_BENCH_IDLE_H_
#define CRIER_CLIENT_BENCH_IDLE_H_

#include "client/bench/workload.h"

namespace crier::bench {

// Connects everyone, waits, and says by how much the server has grown.
class Idle : public Workload {
 public:
  explicit Idle(const BenchOptions& options);

  void OnDelivery(uint32_t /*slot*/, const Delivery& /*delivery*/, int64_t /*now*/) override {}

 protected:
  absl::Status Execute(Report* report) override;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_IDLE_H_
