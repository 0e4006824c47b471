// What happens to sessions, for administrators who watch: as much of it as each of them takes.
#ifndef CRIER_SERVER_ADMIN_EVENT_HUB_H_
#define CRIER_SERVER_ADMIN_EVENT_HUB_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "crier/v1/admin.pb.h"
#include "server/base/mutex.h"
#include "server/engine/engine.h"
#include "server/engine/session_observer.h"

namespace crier {

// The events that one watcher has not taken. Between two Take it holds a bounded number, the first
// ones; the others are counted. Thread-safe.
class EventQueue {
 public:
  // `most`: that it holds at once.
  explicit EventQueue(size_t most) : most_(most) {}

  // True: Add has room. Else the event counts as left out. Costs no more than a count where there
  // is none, as in a storm of sessions.
  bool Reserve();
  // REQUIRES: Reserve returned true, once for each.
  void Add(v1::AdminEvent event);

  // All that are there, and how many were left out.
  v1::AdminEvents Take();

 private:
  const size_t most_;
  std::atomic<size_t> reserved_{0};
  std::atomic<uint64_t> left_out_{0};
  Mutex mutex_;
  v1::AdminEvents events_ ABSL_GUARDED_BY(mutex_);
};

// Thread-safe, except the constructor and the destructor.
class EventHub {
 public:
  // `engine` outlives this object, and has stopped when it is destroyed.
  explicit EventHub(Engine* engine);
  ~EventHub();
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  // From soon on, what happens goes to `queue`, until Remove.
  void Add(std::shared_ptr<EventQueue> queue);
  void Remove(std::shared_ptr<EventQueue> queue);

 private:
  class Tap;

  Engine& engine_;
  std::vector<std::unique_ptr<Tap>> taps_;  // by shard
};

// How many connections were refused since the last look, by reason.
class RefusalWatch {
 public:
  // `metrics` outlives this object. Those that were refused before do not count.
  explicit RefusalWatch(const ConnectionMetrics* metrics);
  // Adds an event for each reason.
  void AppendNew(int64_t wall_nanos, v1::AdminEvents* events);

 private:
  const ConnectionMetrics& metrics_;
  std::array<uint64_t, kRefusalCount> seen_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_EVENT_HUB_H_
