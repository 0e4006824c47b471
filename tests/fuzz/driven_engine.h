// An engine of one shard that runs only when a fuzz target lets it, on the target's own thread.
#ifndef CRIER_TESTS_FUZZ_DRIVEN_ENGINE_H_
#define CRIER_TESTS_FUZZ_DRIVEN_ENGINE_H_

#include <spdlog/spdlog.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "server/engine/engine.h"
#include "server/metrics/metrics.h"
#include "tests/support/fake_clock.h"

namespace crier::fuzz {

class DrivenEngine {
 public:
  // Also switches the log off: a fuzzer makes it say the same a million times.
  DrivenEngine() { spdlog::set_level(spdlog::level::off); }

  Engine& engine() { return engine_; }
  Shard& shard() { return engine_.shard(0); }

  // Until nothing is left to do.
  void Poll() {
    while (shard().Poll() > 0) {
    }
  }
  // The clock goes on by this much.
  void Pass(Duration time) {
    for (; time > Duration::zero(); time -= kTickInterval) {
      clock_.Advance(kTickInterval);
      engine_.Tick();
    }
    Poll();
  }

  // Bytes that the budget counts as kept, of these kinds.
  int64_t kept(std::initializer_list<MemoryKind> kinds) {
    int64_t sum = 0;
    for (const MemoryKind kind : kinds) {
      sum += metrics_.shard(0).memory[static_cast<size_t>(kind)].value();
    }
    return sum;
  }
  int64_t sessions(TransportKind kind) { return metrics_.shard(0).of(kind).sessions.value(); }

 private:
  static EngineOptions OneShard() {
    EngineOptions options;
    options.shards = 1;
    return options;
  }

  FakeClock clock_;
  Metrics metrics_{1};
  Engine engine_{OneShard(), clock_, &metrics_};
};

}  // namespace crier::fuzz

#endif  // CRIER_TESTS_FUZZ_DRIVEN_ENGINE_H_
