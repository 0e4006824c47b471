// The engine: shards, and what belongs to all of them. Knows no codec and no transport by name.
#ifndef CRIER_SERVER_ENGINE_ENGINE_H_
#define CRIER_SERVER_ENGINE_ENGINE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/engine/bus.h"
#include "server/engine/gate.h"
#include "server/engine/history.h"
#include "server/engine/memory_budget.h"
#include "server/engine/options.h"
#include "server/engine/shard.h"
#include "server/metrics/metrics.h"

namespace crier {

// How many there are of something, against how many there may be. Thread-safe.
class LimitedCount {
 public:
  explicit LimitedCount(size_t most) : most_(most) {}
  void Add(int64_t change) { count_.fetch_add(change, std::memory_order_relaxed); }
  bool full() const {
    return count_.load(std::memory_order_relaxed) >= static_cast<int64_t>(most_);
  }

 private:
  const size_t most_;
  std::atomic<int64_t> count_{0};
};

class Engine {
 public:
  using MakeBus = std::function<std::unique_ptr<Bus>(Engine*)>;
  // `clock` and `metrics` outlive the engine; `metrics` was made for options.shards shards.
  // `make_bus`: null: a LocalBus.
  Engine(const EngineOptions& options, const Clock& clock, Metrics* metrics,
         const MakeBus& make_bus = nullptr);
  // Stops first, where it was started.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Starts one thread per shard.
  void Start();
  // Ends the threads. Sessions that are still open are gone without a word: Drain first.
  void Stop();

  // Closes every session with SHUTDOWN, after a Drain event with its own reconnect slot: few at
  // once, many spread over up to `spread`. `done` runs on a shard's thread, once no session is
  // left. Thread-safe; once.
  void Drain(std::chrono::milliseconds spread, absl::AnyInvocable<void()> done);

  // --- Thread-safe.

  const EngineOptions& options() const { return options_; }
  const Clock& clock() const { return clock_; }
  Metrics& metrics() const { return *metrics_; }
  size_t shard_count() const { return shards_.size(); }
  Shard& shard(size_t index) { return *shards_[index]; }
  // The shard that the next session should live on.
  Shard& NextShard() {
    return *shards_[next_shard_.fetch_add(1, std::memory_order_relaxed) % shards_.size()];
  }

  // --- Requests without a session. They pass the gate here. Runs on: the thread of `from`.

  // Publishes a message. `done` runs on `from`'s thread, exactly once. `grant`: of who asks, whose
  // user is the sender then; null: everything is allowed.
  void Publish(Shard& from, v1::Message message, PublishDone done, const Grant* grant = nullptr);
  // Reads at most `max_events` events of a topic from offset `from_offset` on (0: the oldest kept).
  // `done` runs on `from`'s thread, exactly once. What does not pass the gate: a refusal, and
  // `done` is not called. `grant`: as above.
  std::optional<Refusal> History(Shard& from, std::string topic, uint64_t from_offset,
                                 size_t max_events, HistoryDone done, const Grant* grant = nullptr);

  // --- Thread-safe.

  // The shard where a topic, or a user's entry in the directory, lives.
  size_t HomeIndexOf(std::string_view name) const;

  Bus& bus() { return *bus_; }
  // A new epoch: microseconds since 1970, and never the same twice in one process. Below 2^53, so
  // that JavaScript keeps it exact.
  uint64_t NewEpoch();

  // --- For tests, in place of Start: all shards on the calling thread.

  // Runs all that is ready, on every shard, until nothing is.
  void RunUntilIdle();
  // What the shards' timers do every kTickInterval, then RunUntilIdle.
  void Tick();

  // --- For the shards. Thread-safe.

  uint64_t NewSessionId() { return next_session_id_.fetch_add(1, std::memory_order_relaxed); }
  MemoryBudget& memory() { return memory_; }
  // Of all shards' topics, against max_topics: those that exist, and those of them that are
  // followed.
  LimitedCount& topics() { return topics_; }
  LimitedCount& followed_topics() { return followed_topics_; }

 private:
  const EngineOptions options_;
  const Clock& clock_;
  Metrics* const metrics_;
  std::atomic<uint64_t> next_shard_{0};
  std::atomic<uint64_t> next_session_id_{1};
  std::atomic<uint64_t> last_epoch_{0};
  LimitedCount topics_;
  LimitedCount followed_topics_;
  MemoryBudget memory_;
  std::unique_ptr<Bus> bus_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::thread> threads_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_ENGINE_H_
