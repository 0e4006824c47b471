// The engine: shards, and what belongs to all of them. Knows no codec and no transport by name.
#ifndef CRIER_SERVER_ENGINE_ENGINE_H_
#define CRIER_SERVER_ENGINE_ENGINE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/engine/bus.h"
#include "server/engine/options.h"
#include "server/engine/shard.h"
#include "server/metrics/metrics.h"

namespace crier {

// What History found: a range of a topic's log in the canonical encoding.
struct HistoryRange {
  std::string events;  // entries of `repeated Event events = 1`, end to end
  uint64_t epoch = 0;
  uint64_t tail = 1;
  uint64_t head = 0;
};

class Engine {
 public:
  // `clock` and `metrics` outlive the engine; `metrics` was made for options.shards shards.
  Engine(const EngineOptions& options, const Clock& clock, Metrics* metrics);
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

  // Publishes a message without a session (what a unary call does). Validates it first. `done`
  // runs on a shard's thread, exactly once.
  void Publish(v1::Message message, PublishDone done);

  // Reads at most `max_events` events of a topic from offset `from` on (0: the oldest kept). `done`
  // runs on a shard's thread.
  void History(std::string_view topic, uint64_t from, size_t max_events,
               absl::AnyInvocable<void(HistoryRange)> done);

  // Where a topic, or a user's entry in the directory, lives.
  Shard& HomeOf(std::string_view name) { return *shards_[HomeIndexOf(name)]; }
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
  // All logs together have grown by so many bytes; makes the largest give way where that is too
  // much.
  void AccountLogMemory(int64_t bytes);

 private:
  // Lets the largest log of the fullest shard give way, again and again until the rest fits.
  void Relieve();

  const EngineOptions options_;
  const Clock& clock_;
  Metrics* const metrics_;
  std::atomic<uint64_t> next_shard_{0};
  std::atomic<uint64_t> next_session_id_{1};
  std::atomic<uint64_t> last_epoch_{0};
  std::atomic<int64_t> log_bytes_{0};
  std::atomic<bool> relieving_{false};
  std::unique_ptr<Bus> bus_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::thread> threads_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_ENGINE_H_
