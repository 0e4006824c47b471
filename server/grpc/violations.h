// Counts and logs that a client went over a limit.
#ifndef CRIER_SERVER_GRPC_VIOLATIONS_H_
#define CRIER_SERVER_GRPC_VIOLATIONS_H_

#include <array>

#include "server/base/clock.h"
#include "server/base/log_limit.h"
#include "server/metrics/metrics.h"

namespace crier {

// Of one shard. Runs on: shard thread.
class Violations {
 public:
  // `metrics` outlives this object.
  explicit Violations(ShardMetrics* metrics) : metrics_(*metrics) {}

  // Counts it. Logs it with the peer's address, at most one of a kind in a second.
  void Note(GrpcViolation violation, int fd, TimePoint now);

 private:
  ShardMetrics& metrics_;
  std::array<LogLimit, kGrpcViolationCount> logs_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_VIOLATIONS_H_
