// A pattern of topics, as permissions name them (docs/auth.md, "Patterns").
#ifndef CRIER_SERVER_AUTH_TOPIC_PATTERN_H_
#define CRIER_SERVER_AUTH_TOPIC_PATTERN_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace crier {

// Segments are divided by '.'. A segment of a pattern is one of
//   *      any one segment
//   {sub}  the segment that is the user's own id
//   **     all that follows, also nothing; only as the last segment
//   else   itself
// The topic without a name has no segment: the pattern "" names it, and ** matches it.
class TopicPattern {
 public:
  // As a topic's name.
  static constexpr size_t kMaxBytes = 255;

  // The pattern, or what is wrong with it, in words.
  static std::variant<TopicPattern, std::string> Parse(std::string_view text);

  // `user_id`: whom {sub} stands for; an empty one, and one with a '.' in it, match no topic: a
  // user "a.b" could else take what belongs below the user "a". Time: that of reading both once.
  bool Matches(std::string_view topic, std::string_view user_id) const;

  const std::string& text() const { return text_; }

 private:
  explicit TopicPattern(std::string_view text) : text_(text) {}

  std::string text_;
};

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_TOPIC_PATTERN_H_
