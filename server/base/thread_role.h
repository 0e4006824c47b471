// Checks that a function runs on the thread that its comment names.
#ifndef CRIER_SERVER_BASE_THREAD_ROLE_H_
#define CRIER_SERVER_BASE_THREAD_ROLE_H_

#include <atomic>
#include <cassert>
#include <thread>

namespace crier {

// A role that one thread at a time has, e.g. "the thread of shard 3". The thread calls Enter when
// it takes the role. Functions that belong to the role assert IsCurrent.
class ThreadRole {
 public:
  // The calling thread has this role from now on.
  void Enter() { holder_.store(std::this_thread::get_id(), std::memory_order_relaxed); }
  bool IsCurrent() const {
    return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

 private:
  std::atomic<std::thread::id> holder_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_BASE_THREAD_ROLE_H_
