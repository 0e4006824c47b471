#include "server/websocket/message_buffer.h"

#include <cstring>
#include <utility>

namespace crier {

void MessageBuffer::GrowWhereFull() {
  if (size_ < capacity_) return;
  std::unique_ptr<char[]> larger(new char[2 * capacity_]);
  std::memcpy(larger.get(), data_.get(), size_);
  data_ = std::move(larger);
  capacity_ *= 2;
}

std::unique_ptr<MessageBuffer> MessageBuffers::Take() {
  if (spares_.empty()) return std::make_unique<MessageBuffer>(kBytes);
  auto buffer = std::move(spares_.back());
  spares_.pop_back();
  return buffer;
}

void MessageBuffers::GiveBack(std::unique_ptr<MessageBuffer> buffer) {
  if (buffer == nullptr || buffer->capacity() > kBytes || spares_.size() >= kMostSpares) return;
  buffer->Clear();
  spares_.push_back(std::move(buffer));
}

}  // namespace crier
