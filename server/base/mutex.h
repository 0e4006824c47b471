// A mutex that clang's -Wthread-safety checks and that ThreadSanitizer sees.
//
// absl::Mutex has the first property, but Debian's build of it is not instrumented, so
// ThreadSanitizer reports false races. std::mutex uses pthread's, which ThreadSanitizer intercepts.
#ifndef CRIER_SERVER_BASE_MUTEX_H_
#define CRIER_SERVER_BASE_MUTEX_H_

#include <mutex>

#include "absl/base/thread_annotations.h"

namespace crier {

class ABSL_LOCKABLE Mutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

}  // namespace crier

#endif  // CRIER_SERVER_BASE_MUTEX_H_
