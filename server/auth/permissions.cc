#include "server/auth/permissions.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "server/base/concat.h"

namespace crier {
namespace {

constexpr std::string_view kPublishWord = "publish=";
constexpr std::string_view kSubscribeWord = "subscribe=";

bool AnyMatches(const std::vector<TopicPattern>& patterns, std::string_view topic,
                std::string_view user_id) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const TopicPattern& pattern) { return pattern.Matches(topic, user_id); });
}

bool* Switch(Permissions* permissions, std::string_view word) {
  if (word == "direct") return &permissions->direct;
  if (word == "presence") return &permissions->presence;
  if (word == "history") return &permissions->history;
  if (word == "admin") return &permissions->admin;
  return nullptr;
}

// Empty: done; else what is wrong.
std::string AddWord(std::string_view word, Permissions* permissions) {
  if (word.starts_with(kPublishWord)) {
    return Permissions::Add(word.substr(kPublishWord.size()), &permissions->publish);
  }
  if (word.starts_with(kSubscribeWord)) {
    return Permissions::Add(word.substr(kSubscribeWord.size()), &permissions->subscribe);
  }
  bool* const found = Switch(permissions, word);
  if (found == nullptr) {
    return Concat(
        {"\"", word,
         "\" is no permission; write all, none, or words of publish=PATTERN, "
         "subscribe=PATTERN, direct, presence, history, admin, with spaces between them"});
  }
  *found = true;
  return {};
}

size_t BytesOf(const std::vector<TopicPattern>& patterns) {
  size_t bytes = patterns.capacity() * sizeof(TopicPattern);
  for (const TopicPattern& pattern : patterns) bytes += pattern.text().size();
  return bytes;
}

}  // namespace

Permissions Permissions::All() {
  Permissions all;
  Add("**", &all.publish);
  Add("**", &all.subscribe);
  all.direct = all.presence = all.history = true;
  return all;
}

absl::StatusOr<Permissions> Permissions::Parse(std::string_view text) {
  if (text == "all") return All();
  Permissions permissions;
  if (text == "none") return permissions;
  while (!text.empty()) {
    const size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (word.empty()) continue;
    const std::string wrong = AddWord(word, &permissions);
    if (!wrong.empty()) return absl::InvalidArgumentError(wrong);
  }
  return permissions;
}

std::string Permissions::Add(std::string_view pattern, std::vector<TopicPattern>* list) {
  if (list->size() >= kMaxPatterns) return "there are more than 100 patterns in a list";
  auto parsed = TopicPattern::Parse(pattern);
  if (auto* wrong = std::get_if<std::string>(&parsed)) return std::move(*wrong);
  list->push_back(std::move(std::get<TopicPattern>(parsed)));
  return {};
}

bool Permissions::MayPublish(std::string_view topic, std::string_view user_id) const {
  return AnyMatches(publish, topic, user_id);
}

bool Permissions::MaySubscribe(std::string_view topic, std::string_view user_id) const {
  return AnyMatches(subscribe, topic, user_id);
}

size_t Permissions::bytes() const {
  return sizeof(Permissions) + BytesOf(publish) + BytesOf(subscribe);
}

}  // namespace crier
