// Direct messages that come back to their sender.
#ifndef CRIER_CLIENT_BENCH_DIRECT_H_
#define CRIER_CLIENT_BENCH_DIRECT_H_

#include <cstdint>
#include <vector>

#include "client/bench/workload.h"

namespace crier::bench {

// Ping-pong: every client has `inflight` messages under way, and sends the next one when one
// returns. With a rate, the clients send in turn by the clock instead. A client's messages have to
// come back in order, each once.
class Direct : public Workload {
 public:
  explicit Direct(const BenchOptions& options);

  void OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) override;

 protected:
  absl::Status Execute(Report* report) override;

 private:
  struct Peer {
    uint64_t outstanding = 0;
    int64_t last_sent = 0;
    int64_t last_received = 0;
  };

  void SendFrom(uint32_t slot, int64_t stamp);
  void Measure();
  void Describe(Report* report);

  std::vector<Peer> peers_;
  bool sending_ = false;
  uint64_t outstanding_ = 0;
  uint64_t misordered_ = 0;  // Came back twice, or before an earlier one.
  uint64_t skipped_ = 0;     // Named by a gap of the mailbox.
  uint64_t errors_ = 0;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_DIRECT_H_
