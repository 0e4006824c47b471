// Lets nghttp2 survive a header field that is longer than it can decode.
//
// nghttp2 takes a name or value of more than 64 KiB for an error of the whole connection, and every
// call on it would end for one call's metadata. Such a field is far over our limit on metadata, so
// what it says does not matter, only where it ends and what it does to the decoder's table. In the
// received bytes, before nghttp2 sees them, it becomes a shorter field and some one-byte fields
// behind it: as many bytes as before, and as large an entry that no table has room for. A pure
// function of its input.
#ifndef CRIER_SERVER_GRPC_FIELD_LIMITER_H_
#define CRIER_SERVER_GRPC_FIELD_LIMITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace crier {

// Takes a connection's bytes in pieces of any size. Not thread-safe.
class FieldLimiter {
 public:
  // The longest string that is left as it is, encoded: what nghttp2 decodes (NGHTTP2_HD_MAX_NV).
  static constexpr uint32_t kMostBytes = 65536;
  // A longer one is cut to 32,895 to 49,278 bytes: over every limit on a call's metadata up to
  // this, and over the size of the decoder's table.
  static constexpr uint32_t kLeastCutBytes = 32895;

  // Looks at the next bytes that the client has sent, from the connection preface on, and changes
  // them where they are in such a field.
  void Limit(std::span<char> received);

  // The bytes so far end within a header block.
  bool in_head() const {
    return in_block_ || ((skip_ > 0 || pad_follows_ || block_left_ > 0) && IsOfBlock(head_[3]));
  }
  // How many header blocks have begun; it wraps.
  uint32_t heads() const { return heads_; }

 private:
  enum class State : uint8_t {
    kField,       // a representation begins
    kInteger,     // the rest of an integer that does not matter; then next_
    kNameLength,  // a string begins
    kValueLength,
    kLengthRest,  // of a string
    kString,
    kFiller,  // what was cut off
  };

  // The type of a frame that holds a header block, or a part of one.
  static bool IsOfBlock(uint8_t type);
  // The size of the whole frames that come first and have no header block: nearly all of them.
  size_t WholeFrames(std::span<const char> received) const;
  void BeginFrame();
  void BeginPadded(uint8_t padding);
  // Looks at bytes of a header block.
  void Block(std::span<char> bytes);
  void TakeByte(char* byte);
  void BeginString(bool is_name, uint8_t byte);
  void TakeLength(char* byte);
  void EndLength();
  void EndString();
  void Fill(std::span<char> part);

  // --- Frames. What comes next: bytes to skip, then padding's length, then bytes of a header
  // block; without any of these a frame begins.
  uint32_t skip_ = 24;  // first, the preface
  bool pad_follows_ = false;
  uint32_t skip_later_ = 0;  // behind padding's length
  uint32_t block_left_ = 0;
  uint32_t behind_ = 0;  // bytes of padding behind them
  std::array<uint8_t, 9> head_{};
  uint8_t head_bytes_ = 0;
  uint32_t heads_ = 0;
  bool in_block_ = false;  // in a header block of more than one frame: others have no room for it

  // --- The header block (RFC 7541, section 6).
  State state_ = State::kField;
  State next_ = State::kField;
  bool is_name_ = false;
  bool huffman_ = false;
  bool cut_ = false;
  bool filler_begins_ = false;
  uint8_t length_bytes_ = 0;  // of the string's length, behind the first
  uint32_t length_ = 0;       // of the string; what is left of it
  uint32_t filler_ = 0;       // how much was cut off; what is left of that
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_FIELD_LIMITER_H_
