// Where a message is put together, only while it is: an idle connection has no buffer.
#ifndef CRIER_SERVER_WEBSOCKET_MESSAGE_BUFFER_H_
#define CRIER_SERVER_WEBSOCKET_MESSAGE_BUFFER_H_

#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

namespace crier {

// A message so far, and room for more of it.
class MessageBuffer {
 public:
  explicit MessageBuffer(size_t capacity) : data_(new char[capacity]), capacity_(capacity) {}

  std::string_view text() const { return {data_.get(), size_}; }
  size_t capacity() const { return capacity_; }
  boost::asio::mutable_buffer room() { return {data_.get() + size_, capacity_ - size_}; }
  void Commit(size_t bytes) { size_ += bytes; }
  void Clear() { size_ = 0; }
  // Doubles the capacity where there is no room.
  void GrowWhereFull();

 private:
  std::unique_ptr<char[]> data_;
  size_t capacity_;
  size_t size_ = 0;
};

// A shard's spare buffers. Not thread-safe.
class MessageBuffers {
 public:
  // Most messages fit.
  static constexpr size_t kBytes = 4 << 10;
  static constexpr size_t kMostSpares = 32;

  std::unique_ptr<MessageBuffer> Take();
  void GiveBack(std::unique_ptr<MessageBuffer> buffer);

 private:
  std::vector<std::unique_ptr<MessageBuffer>> spares_;
};

// A buffer sequence of one buffer that is looked up when it is first used: Beast asks for the place
// of a message's payload before it waits for the message, and uses it after. `Source` has a
// function boost::asio::mutable_buffer room().
template <class Source>
class LateBuffer {
 public:
  class const_iterator {
   public:
    using value_type = boost::asio::mutable_buffer;
    using reference = boost::asio::mutable_buffer;
    using pointer = void;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::bidirectional_iterator_tag;

    const_iterator() = default;
    const_iterator(Source* source, bool end) : source_(source), end_(end) {}
    reference operator*() const { return source_->room(); }
    const_iterator& operator++() {
      end_ = true;
      return *this;
    }
    const_iterator operator++(int) {
      const const_iterator before = *this;
      end_ = true;
      return before;
    }
    const_iterator& operator--() {
      end_ = false;
      return *this;
    }
    const_iterator operator--(int) {
      const const_iterator before = *this;
      end_ = false;
      return before;
    }
    friend bool operator==(const const_iterator& a, const const_iterator& b) {
      return a.source_ == b.source_ && a.end_ == b.end_;
    }

   private:
    Source* source_ = nullptr;
    bool end_ = false;
  };

  // `source` outlives the operation.
  explicit LateBuffer(Source* source) : source_(source) {}
  const_iterator begin() const { return {source_, false}; }
  const_iterator end() const { return {source_, true}; }

 private:
  Source* source_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_MESSAGE_BUFFER_H_
