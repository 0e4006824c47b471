#include "server/grpc/field_limiter.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace crier {
namespace {

constexpr uint32_t kPrefix = 127;  // of a string's length: seven bits (RFC 7541, section 5.2)
// The third of the bytes behind it, with which a length of 32 to 48 KiB ends.
constexpr uint8_t kShortThird = 2;
// '&', as itself and in the Huffman code, where it takes eight bits. It may be in a name.
constexpr char kPlain = '&';
constexpr char kHuffman = '\xF8';
// Whole fields of one byte, and the begin of one whose value follows (sections 6.1 and 6.2.2).
constexpr char kIndexed = '\x82';
constexpr char kNamed = '\x01';
constexpr char kEmptyValue = '\0';
constexpr uint32_t kPriorityBytes = 5;

}  // namespace

// --- Frames (RFC 9113, section 4.1).

void FieldLimiter::Limit(std::span<char> received) {
  while (!received.empty()) {
    size_t size = WholeFrames(received);
    received = received.subspan(size);
    if (received.empty()) return;
    size = 1;
    if (skip_ > 0) {
      size = std::min<size_t>(skip_, received.size());
      skip_ -= static_cast<uint32_t>(size);
    } else if (pad_follows_) {
      BeginPadded(static_cast<uint8_t>(received[0]));
    } else if (block_left_ > 0) {
      size = std::min<size_t>(block_left_, received.size());
      Block(received.first(size));
      block_left_ -= static_cast<uint32_t>(size);
      if (block_left_ == 0) skip_ = std::exchange(behind_, 0);
    } else {
      size = std::min(head_.size() - head_bytes_, received.size());
      std::memcpy(head_.data() + head_bytes_, received.data(), size);
      head_bytes_ += static_cast<uint8_t>(size);
      if (head_bytes_ == head_.size()) BeginFrame();
    }
    received = received.subspan(size);
  }
}

bool FieldLimiter::IsOfBlock(uint8_t type) {
  return type == NGHTTP2_HEADERS || type == NGHTTP2_CONTINUATION;
}

size_t FieldLimiter::WholeFrames(std::span<const char> received) const {
  size_t at = 0;
  if (skip_ > 0 || pad_follows_ || block_left_ > 0 || head_bytes_ > 0) return at;
  while (received.size() - at >= head_.size()) {
    const auto* head = reinterpret_cast<const uint8_t*>(received.data()) + at;
    const size_t length = size_t{head[0]} << 16 | size_t{head[1]} << 8 | head[2];
    if (IsOfBlock(head[3]) || received.size() - at - head_.size() < length) break;
    at += head_.size() + length;
  }
  return at;
}

void FieldLimiter::BeginFrame() {
  head_bytes_ = 0;
  const uint32_t length = uint32_t{head_[0]} << 16 | uint32_t{head_[1]} << 8 | head_[2];
  const uint8_t type = head_[3];
  const uint8_t flags = head_[4];
  const bool ends = (flags & NGHTTP2_FLAG_END_HEADERS) != 0;
  if (type == NGHTTP2_HEADERS) ++heads_;
  if (type == NGHTTP2_CONTINUATION && in_block_) {
    in_block_ = !ends;
    block_left_ = length;
  } else if (type == NGHTTP2_HEADERS && !ends) {
    in_block_ = true;
    state_ = State::kField;
    // What is too short for its flags is an error that nghttp2 finds.
    skip_ = std::min(length, (flags & NGHTTP2_FLAG_PRIORITY) != 0 ? kPriorityBytes : 0);
    block_left_ = length - skip_;
    pad_follows_ = (flags & NGHTTP2_FLAG_PADDED) != 0 && length > 0;
    if (pad_follows_) skip_later_ = std::exchange(skip_, 0);
  } else {
    skip_ = length;
  }
}

void FieldLimiter::BeginPadded(uint8_t padding) {
  pad_follows_ = false;
  skip_ = std::exchange(skip_later_, 0);
  block_left_ -= std::min(block_left_, uint32_t{1});
  behind_ = std::min<uint32_t>(padding, block_left_);
  block_left_ -= behind_;
  if (block_left_ == 0) skip_ += std::exchange(behind_, 0);
}

// --- The header block.

void FieldLimiter::Block(std::span<char> bytes) {
  while (!bytes.empty()) {
    size_t size = 1;
    if (state_ == State::kString) {
      size = std::min<size_t>(length_, bytes.size());
      if (cut_) std::memset(bytes.data(), huffman_ ? kHuffman : kPlain, size);
      length_ -= static_cast<uint32_t>(size);
      if (length_ == 0) EndString();
    } else if (state_ == State::kFiller) {
      size = std::min<size_t>(filler_, bytes.size());
      Fill(bytes.first(size));
    } else {
      TakeByte(bytes.data());
    }
    bytes = bytes.subspan(size);
  }
}

void FieldLimiter::TakeByte(char* at) {
  const auto byte = static_cast<uint8_t>(*at);
  const auto integer = [&](uint8_t most, State next) {
    const bool goes_on = (byte & most) == most;
    state_ = goes_on ? State::kInteger : next;
    next_ = next;
  };
  switch (state_) {
    case State::kField:
      if (byte >= 0x80) return integer(0x7F, State::kField);           // 6.1: indexed
      if ((byte & 0xE0) == 0x20) return integer(0x1F, State::kField);  // 6.3: the table's size
      if (byte >= 0x40) {                                              // 6.2.1: to be indexed
        if (byte == 0x40) {
          state_ = State::kNameLength;
          return;
        }
        return integer(0x3F, State::kValueLength);
      }
      if ((byte & 0x0F) == 0) {  // 6.2.2, 6.2.3: not to be indexed
        state_ = State::kNameLength;
        return;
      }
      return integer(0x0F, State::kValueLength);
    case State::kInteger:
      if (byte < 0x80) state_ = next_;
      return;
    case State::kNameLength:
    case State::kValueLength:
      return BeginString(state_ == State::kNameLength, byte);
    case State::kLengthRest:
      return TakeLength(at);
    case State::kString:
    case State::kFiller:
      return;
  }
}

void FieldLimiter::BeginString(bool is_name, uint8_t byte) {
  is_name_ = is_name;
  huffman_ = byte >= 0x80;
  length_ = byte & kPrefix;
  length_bytes_ = 0;
  cut_ = false;
  if (length_ == kPrefix) {
    state_ = State::kLengthRest;
  } else {
    EndLength();
  }
}

void FieldLimiter::TakeLength(char* at) {
  const auto byte = static_cast<uint8_t>(*at);
  // nghttp2 takes no more than 32 bits, and frames have no room for what takes four bytes.
  if (length_bytes_ < 4) length_ += uint32_t{byte & 0x7Fu} << 7 * length_bytes_;
  ++length_bytes_;
  if (byte >= 0x80) return;
  if (length_ > kMostBytes && length_bytes_ == 3) {
    const uint32_t whole = length_;
    length_ = kPrefix + ((whole - kPrefix) & 0x3FFF) + (uint32_t{kShortThird} << 14);
    filler_ = whole - length_;
    *at = static_cast<char>(kShortThird);
    cut_ = true;
  }
  EndLength();
}

void FieldLimiter::EndLength() {
  state_ = State::kString;
  if (length_ == 0) EndString();
}

void FieldLimiter::EndString() {
  if (cut_) {
    state_ = State::kFiller;
    filler_begins_ = true;
  } else {
    state_ = is_name_ ? State::kValueLength : State::kField;
  }
}

// Behind a value: fields of one byte. Behind a name: an empty value, such fields, and one whose
// value is the name's own, which comes next.
void FieldLimiter::Fill(std::span<char> part) {
  std::memset(part.data(), kIndexed, part.size());
  if (is_name_ && std::exchange(filler_begins_, false)) part.front() = kEmptyValue;
  filler_ -= static_cast<uint32_t>(part.size());
  if (filler_ > 0) return;
  if (is_name_) part.back() = kNamed;
  state_ = is_name_ ? State::kValueLength : State::kField;
}

}  // namespace crier
