// Clients that are connected and do nothing.
#ifndef CRIER_CLIENT_BENCH_IDLE_H_
#define CRIER_CLIENT_BENCH_IDLE_H_

#include "client/bench/workload.h"

namespace crier::bench {

// Connects all clients, waits, and reports how much the server's memory has grown.
class Idle : public Workload {
 public:
  explicit Idle(const BenchOptions& options);

  void OnDelivery(uint32_t /*slot*/, const Delivery& /*delivery*/, int64_t /*now*/) override {}

 protected:
  absl::Status Execute(Report* report) override;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_IDLE_H_
