// The bytes of a message of which only a part has come. It exists only meanwhile: an idle
// connection has none.
#ifndef CRIER_SERVER_WEBSOCKET_INPUT_BUFFER_H_
#define CRIER_SERVER_WEBSOCKET_INPUT_BUFFER_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "server/engine/memory_budget.h"

namespace crier {

// Counted in the memory budget. Runs on: shard thread.
class InputBuffer {
 public:
  // `memory` outlives the buffer. `others`: so many bytes are counted besides those of the buffer.
  InputBuffer(MemoryMeter* memory, size_t others)
      : memory_(*memory), share_(memory, MemoryKind::kInput), others_(others) {
    share_.Set(others_);
  }

  std::string_view text() const { return {data_.get(), size_}; }
  size_t size() const { return size_; }

  // Counts so many bytes more besides those of the buffer.
  void CountToo(size_t others) {
    others_ += others;
    share_.Set(others_ + capacity_);
  }

  // Room behind the bytes, for at least `least` more, where `expected` are to come. Empty: the
  // memory budget is used up, and this would be more than kAlways.
  std::span<char> Room(size_t least, size_t expected) {
    if (capacity_ - size_ < least && !Grow(least, expected)) return {};
    return {data_.get() + size_, capacity_ - size_};
  }
  void Commit(size_t bytes) { size_ += bytes; }

 private:
  static constexpr size_t kLeastBytes = 512;
  // A short message that the network has cut is not refused.
  static constexpr size_t kAlways = 4 << 10;

  // Doubles, so that who announces much and sends little has no more memory for it than what came.
  bool Grow(size_t least, size_t expected) {
    if (size_ + least > kAlways && memory_.full()) return false;
    const size_t doubled = std::max({2 * capacity_, size_ + least, kLeastBytes});
    const size_t capacity = std::max(size_ + least, std::min(doubled, size_ + expected));
    std::unique_ptr<char[]> larger(new char[capacity]);
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = capacity;
    share_.Set(others_ + capacity_);
    return true;
  }

  MemoryMeter& memory_;
  MemoryShare share_;
  size_t others_;
  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_INPUT_BUFFER_H_
