// An answer of Redis.
#ifndef CRIER_SERVER_CLUSTER_REDIS_REPLY_H_
#define CRIER_SERVER_CLUSTER_REDIS_REPLY_H_

#include <hiredis/hiredis.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crier {

// A view, as cheap as a pointer: valid as long as the call that got it runs. Asking for what the
// kind does not have gives 0, an empty text or nil, so that a caller can look first and judge then.
class RedisReply {
 public:
  enum class Kind : uint8_t {
    kNil,
    kInteger,
    kText,  // a status or a string
    kArray,
    kError,  // Redis refuses; text() says why
    // No answer: the connection is lost, or there was none. Redis may have done the call or not.
    // text() says why.
    kLost,
  };
  using enum Kind;

  // Null: nil.
  explicit RedisReply(const redisReply* reply) : reply_(reply) {}
  // `why` has to live as long as the reply.
  static RedisReply Lost(std::string_view why) {
    RedisReply reply(nullptr);
    reply.is_lost_ = true;
    reply.why_ = why;
    return reply;
  }

  Kind kind() const {
    if (is_lost_) return Kind::kLost;
    if (reply_ == nullptr) return Kind::kNil;
    switch (reply_->type) {
      case REDIS_REPLY_INTEGER:
        return Kind::kInteger;
      case REDIS_REPLY_STRING:
      case REDIS_REPLY_STATUS:
        return Kind::kText;
      case REDIS_REPLY_ARRAY:
        return Kind::kArray;
      case REDIS_REPLY_ERROR:
        return Kind::kError;
      default:
        return Kind::kNil;
    }
  }
  bool is_error() const { return kind() == Kind::kError; }
  bool is_lost() const { return is_lost_; }

  // 0 where it is no integer.
  int64_t integer() const { return kind() == Kind::kInteger ? reply_->integer : 0; }
  // An integer, or a text that is one (Lua's numbers are too short for some). 0 where it is
  // neither.
  uint64_t number() const {
    if (kind() == Kind::kInteger) return static_cast<uint64_t>(reply_->integer);
    uint64_t number = 0;
    const std::string_view digits = text();
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
  }
  // Of a status, a string, an error or what is lost. Empty else.
  std::string_view text() const {
    if (is_lost_) return why_;
    const bool has_text = kind() == Kind::kText || kind() == Kind::kError;
    return has_text ? std::string_view(reply_->str, reply_->len) : std::string_view();
  }
  // How many parts an array has. 0 else.
  size_t size() const { return kind() == Kind::kArray ? reply_->elements : 0; }
  // Nil where there is no such part.
  RedisReply operator[](size_t index) const {
    return RedisReply(index < size() ? reply_->element[index] : nullptr);
  }

 private:
  const redisReply* reply_;
  std::string_view why_{};
  bool is_lost_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_REPLY_H_
