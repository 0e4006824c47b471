#include <memory>

#include "client/bench/direct.h"
#include "client/bench/fanout.h"
#include "client/bench/idle.h"
#include "client/bench/storm.h"
#include "client/bench/study.h"
#include "client/bench/workload.h"
#include "client/text.h"

namespace crier::bench {
namespace {

absl::Status Wrong(std::string_view why) { return absl::InvalidArgumentError(ForAbsl(why)); }

absl::Status ValidateFanout(const BenchOptions& options) {
  if (options.readers < 1 && options.stalled > 0) {
    return Wrong(
        "--readers and --stalled both say how many clients do not read; give only one of them");
  }
  const auto stalled =
      options.stalled +
      static_cast<uint64_t>(static_cast<double>(options.clients) * (1 - options.readers));
  if (stalled + options.slow >= options.clients) {
    return Wrong(Concat("--clients=", options.clients, " leaves no client that reads, with ",
                        stalled, " stalled and ", options.slow, " slow"));
  }
  const uint64_t healthy = options.clients - stalled - options.slow;
  if (options.publishers > healthy) {
    return Wrong(Concat("--publishers=", options.publishers, " is more than the ", healthy,
                        " clients that read"));
  }
  if (options.topics > healthy) {
    return Wrong(Concat("--topics=", options.topics, " is more than the ", healthy,
                        " clients that read; each topic needs at least one"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const BenchOptions& options) {
  if (options.clients == 0) return Wrong("--clients must be at least 1");
  if (options.duration <= absl::ZeroDuration() && options.mode != "idle") {
    return Wrong("--duration must be longer than 0s");
  }
  if (options.mode == "fanout") return ValidateFanout(options);
  if (options.mode == "direct" || options.mode == "storm" || options.mode == "idle" ||
      options.mode == "study") {
    return absl::OkStatus();
  }
  return Wrong(
      Concat("unknown mode \"", options.mode, "\": must be fanout, direct, storm, idle or study"));
}

std::unique_ptr<Workload> MakeWorkload(const BenchOptions& options) {
  if (options.mode == "fanout") return std::make_unique<Fanout>(options);
  if (options.mode == "direct") return std::make_unique<Direct>(options);
  if (options.mode == "storm") return std::make_unique<Storm>(options);
  if (options.mode == "idle") return std::make_unique<Idle>(options);
  return std::make_unique<Study>(options);
}

}  // namespace crier::bench
