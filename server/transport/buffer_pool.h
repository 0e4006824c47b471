// Strings whose memory is used again: for bytes that wait for the kernel for a moment.
#ifndef CRIER_SERVER_TRANSPORT_BUFFER_POOL_H_
#define CRIER_SERVER_TRANSPORT_BUFFER_POOL_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace crier {

// Runs on: shard thread, except the constructor.
class BufferPool {
 public:
  // An empty string, with or without capacity.
  std::string Take() {
    if (spare_.empty()) return {};
    std::string buffer = std::move(spare_.back());
    spare_.pop_back();
    bytes_ -= buffer.capacity();
    return buffer;
  }

  void GiveBack(std::string buffer) {
    if (bytes_ + buffer.capacity() > kMostBytes) return;
    buffer.clear();
    bytes_ += buffer.capacity();
    spare_.push_back(std::move(buffer));
  }

 private:
  // Enough for the connections of one batch of sends.
  static constexpr size_t kMostBytes = 1 << 20;

  std::vector<std::string> spare_;
  size_t bytes_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_BUFFER_POOL_H_
