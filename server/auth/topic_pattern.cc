#include "server/auth/topic_pattern.h"

#include "server/base/concat.h"

namespace crier {
namespace {

constexpr std::string_view kOne = "*";
constexpr std::string_view kRest = "**";
constexpr std::string_view kUser = "{sub}";

// The segments of a name, one after the other. A name without a byte has none.
class Segments {
 public:
  explicit Segments(std::string_view name) : rest_(name), left_(!name.empty()) {}

  bool left() const { return left_; }
  std::string_view Next() {
    const size_t dot = rest_.find('.');
    const std::string_view segment = rest_.substr(0, dot);
    left_ = dot != rest_.npos;
    rest_.remove_prefix(left_ ? dot + 1 : rest_.size());
    return segment;
  }

 private:
  std::string_view rest_;
  bool left_;
};

bool SegmentMatches(std::string_view pattern, std::string_view segment, std::string_view user_id) {
  if (pattern == kOne) return true;
  // A segment has no '.', so a user's id with one is equal to none.
  if (pattern == kUser) return !user_id.empty() && segment == user_id;
  return pattern == segment;
}

}  // namespace

std::variant<TopicPattern, std::string> TopicPattern::Parse(std::string_view text) {
  if (text.size() > kMaxBytes) return "a pattern has more than 255 bytes";
  Segments segments(text);
  while (segments.left()) {
    const std::string_view segment = segments.Next();
    if (segment == kRest && segments.left()) {
      return Concat(
          {"the pattern \"", text, "\" goes on behind **, which stands for all the rest"});
    }
    if (segment == kOne || segment == kRest || segment == kUser) continue;
    if (segment.find_first_of("*{}") != segment.npos) {
      return Concat({"the pattern \"", text,
                     "\" has *, { or } within a segment; whole segments may be *, ** or {sub}"});
    }
  }
  return TopicPattern(text);
}

bool TopicPattern::Matches(std::string_view topic, std::string_view user_id) const {
  Segments pattern(text_);
  Segments segments(topic);
  while (pattern.left()) {
    const std::string_view wanted = pattern.Next();
    if (wanted == kRest) return true;
    if (!segments.left() || !SegmentMatches(wanted, segments.Next(), user_id)) return false;
  }
  return !segments.left();
}

}  // namespace crier
