// One thread of the engine, with everything that lives on it: sessions, the topics it is home to,
// its feeds of all topics that its sessions follow.
//
// The loop: Asio runs handlers; the first one that leaves a session with something to send posts
// one flush behind all handlers that are ready now. So a flush sees what a whole burst has gathered,
// and that is where batching happens.
#ifndef CRIER_SERVER_ENGINE_SHARD_H_
#define CRIER_SERVER_ENGINE_SHARD_H_

#include <boost/asio/io_context.hpp>

#include "absl/functional/any_invocable.h"
#include "server/engine/session.h"

namespace crier {

class Engine;

// How often transports and limits look at the clock.
inline constexpr std::chrono::milliseconds kTickInterval{100};

class Shard {
 public:
  using Task = absl::AnyInvocable<void()>;

  // --- Thread-safe.

  size_t index() const { return index_; }
  Engine& engine() const { return *engine_; }
  const EngineOptions& options() const;
  // Runs `task` on this shard's thread, soon, in the order of posting from one thread.
  void Post(Task task);
  // The loop's Asio side: sockets and timers of this shard belong to it.
  boost::asio::io_context& io() { return io_; }
  // True on this shard's thread.
  bool IsCurrent() const { return role_.IsCurrent(); }

  // --- Runs on: shard thread.

  // The session starts following the empty topic at its head. The shard owns it; it ends itself
  // (Session::End).
  Session* OpenSession(SessionOptions options);

  // Now, for a frame that was just read.
  Arrival ArrivalNow() const;

  // Calls `ticker` every kTickInterval with the time, until the shard stops.
  void AddTicker(absl::AnyInvocable<void(TimePoint)> ticker);

  ShardMetrics& metrics() const { return *metrics_; }
  const Clock& clock() const;
