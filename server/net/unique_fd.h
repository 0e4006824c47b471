// Owns a file descriptor.
#ifndef CRIER_SERVER_NET_UNIQUE_FD_H_
#define CRIER_SERVER_NET_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace crier {

// Not thread-safe. -1: owns nothing.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Gives up the descriptor. The caller owns it from now on.
  int release() { return std::exchange(fd_, -1); }
  // Closes the owned descriptor, and owns `fd` instead.
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_UNIQUE_FD_H_
