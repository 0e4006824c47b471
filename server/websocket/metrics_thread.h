// Writes the text of /metrics on a thread of its own: what that costs (the kernel's figures of the
// process more than ours, and on an old kernel a walk over all descriptors) delays no session.
#ifndef CRIER_SERVER_WEBSOCKET_METRICS_THREAD_H_
#define CRIER_SERVER_WEBSOCKET_METRICS_THREAD_H_

#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/base/mutex.h"
#include "server/engine/shard.h"
#include "server/metrics/metrics.h"

namespace crier {

class MetricsThread {
 public:
  // Null: there was no memory for it.
  using Text = std::shared_ptr<const std::string>;
  using Done = absl::AnyInvocable<void(const Text& text)>;

  // Starts the thread. `metrics` outlives this object.
  explicit MetricsThread(const Metrics* metrics);
  // Who still waits gets no answer.
  ~MetricsThread();
  MetricsThread(const MetricsThread&) = delete;
  MetricsThread& operator=(const MetricsThread&) = delete;

  // Calls `done` on the shard's thread with a text that was begun after this call. Those who ask
  // while one is written get the next, all of them the same. Thread-safe.
  void Ask(Shard* shard, Done done);

 private:
  struct Waiting {
    Shard* shard;
    Done done;
  };

  void Run();
  Text Write() const;

  const Metrics& metrics_;
  std::counting_semaphore<> asked_{0};
  Mutex mutex_;
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_METRICS_THREAD_H_
