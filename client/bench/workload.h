// The common part of all modes of the benchmark.
#ifndef CRIER_CLIENT_BENCH_WORKLOAD_H_
#define CRIER_CLIENT_BENCH_WORKLOAD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "client/bench/bench_clock.h"
#include "client/bench/bench_options.h"
#include "client/bench/histogram.h"
#include "client/bench/meter.h"
#include "client/bench/report.h"
#include "client/bench/swarm.h"

namespace crier::bench {

// Owns the swarm, opens its sessions, and counts those that end unexpectedly.
class Workload : public SwarmHandler {
 public:
  // Runs the benchmark to its end and fills in the report. An error means that there was no run.
  // UNAVAILABLE: no client could connect. Others: the options are wrong. Failures of the run itself
  // are in the report.
  absl::Status Run(Report* report);

  void OnOpen(uint32_t slot, int64_t connect_ns) override;
  void OnEnd(uint32_t slot, const SessionEnd& end) override;

 protected:
  // `slots` is the number of sessions at most.
  Workload(const BenchOptions& options, uint32_t slots, std::vector<std::string> topics);

  virtual absl::Status Execute(Report* report) = 0;
  // A session that was open has ended without Leave. The default counts it as a failure.
  virtual void OnUnexpectedEnd(uint32_t slot, const SessionEnd& end);

  // Opens slots 0 to count-1, spread over the ramp, and waits until each is open or has failed.
  // UNAVAILABLE if none is open. If some are not, the report has a failure.
  absl::Status ConnectAll(uint32_t count, Report* report);
  // Ends the session on purpose, so its end is not reported.
  void Leave(uint32_t slot, uint16_t code);
  // Polls until `done` or the deadline; true: done.
  bool PollUntil(int64_t deadline, absl::FunctionRef<bool()> done);

  // Adds the counts of sessions to the report: opened, connect times, failed, ended, and why.
  void DescribeSessions(Report* report) const;
  // Counts a cause that DescribeSessions lists.
  void Blame(std::string_view what) { ++causes_[std::string(what.substr(0, 160))]; }

  // "STAMPxxxx": the time in nanoseconds, filled up to the payload's size. Valid until the next
  // call.
  std::string_view Body(int64_t stamp);

  const BenchOptions& options() const { return options_; }
  Swarm& swarm() { return *swarm_; }
  Meter& meter() { return meter_; }
  uint64_t opened() const { return opened_; }
  uint64_t failed_to_open() const { return failed_to_open_; }
  uint64_t ended_unexpectedly() const { return ended_unexpectedly_; }

 private:
  // `status`: no session came about. Says why, where a connection cannot even be made.
  absl::Status Explained(const absl::Status& status) const;

  const BenchOptions options_;
  const uint32_t slots_;
  const std::vector<std::string> topics_;
  std::unique_ptr<Swarm> swarm_;
  Meter meter_;
  std::vector<bool> open_;
  uint64_t opened_ = 0;
  uint64_t failed_to_open_ = 0;
  uint64_t ended_unexpectedly_ = 0;
  Histogram connect_times_;
  std::map<std::string, uint64_t> causes_;
  std::string body_;
};

// A run of the mode that the options name. The options have to be valid (see Validate).
std::unique_ptr<Workload> MakeWorkload(const BenchOptions& options);

// INVALID_ARGUMENT if options contradict each other or the mode is unknown.
absl::Status Validate(const BenchOptions& options);

// Raises the limit of open files to the hard one. RESOURCE_EXHAUSTED if that is not enough for
// `sessions`; the message says what to do.
absl::Status RaiseFileLimit(uint64_t sessions);

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_WORKLOAD_H_
