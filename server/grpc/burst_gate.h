// Keeps gRPC's threads from taking a burst's completions one by one.
//
// A shard starts a write on each of its streams in turn, and gRPC has a thread hear of each that is
// done. Where these share cores with the shard, as they do on a busy machine, each completion wakes
// a thread, which interrupts the shard and goes to sleep again: a sixth of what a write costs
// (docs/decisions/0004). While the gate is closed such a thread waits at it, and takes all
// completions of the burst when it opens.
#ifndef CRIER_SERVER_GRPC_BURST_GATE_H_
#define CRIER_SERVER_GRPC_BURST_GATE_H_

#include <atomic>
#include <mutex>

namespace crier {

class BurstGate {
 public:
  // Runs on: shard thread. Stays open where somebody still waits since the burst before: a shard
  // that is never idle does not keep gRPC's threads from their work.
  void Close() {
    if (!closed_.owns_lock() && !waited_for()) closed_.lock();
  }
  // Runs on: shard thread, at the end of the turns that closed it.
  void Open() {
    if (closed_.owns_lock()) closed_.unlock();
  }

  // Waits until it is open. Runs on: any thread but the shard's.
  void Pass() {
    waiting_.fetch_add(1, std::memory_order_relaxed);
    { const std::lock_guard passing(mutex_); }
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
  // Somebody is in Pass. Thread-safe.
  bool waited_for() const { return waiting_.load(std::memory_order_relaxed) > 0; }

 private:
  std::mutex mutex_;
  std::unique_lock<std::mutex> closed_{mutex_, std::defer_lock};  // the shard's
  std::atomic<int> waiting_{0};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_BURST_GATE_H_
