#include "server/engine/access.h"

#include <string>

#include "server/base/concat.h"

namespace crier {
namespace {

std::string Named(std::string_view topic) {
  if (topic.empty()) return "the topic without a name";
  return Concat({"the topic \"", topic, "\""});
}

Refusal Denied(std::string_view what, std::string_view topic, std::string_view claim) {
  return {Outcome::kPermissionDenied, Concat({what, Named(topic), " needs the claim ", claim,
                                              " with a pattern that matches it"})};
}

Refusal DeniedSwitch(std::string_view what, std::string_view claim) {
  return {Outcome::kPermissionDenied, Concat({what, " needs the claim ", claim})};
}

}  // namespace

std::optional<Refusal> CheckPublish(const Grant& grant, const v1::Message& message) {
  if (message.action_type() == v1::DIRECT) {
    if (message.to().empty() || grant.permissions->direct) return std::nullopt;
    return DeniedSwitch("a direct message to a user", kDirectClaim);
  }
  if (grant.permissions->MayPublish(message.topic(), grant.user_id)) return std::nullopt;
  return Denied("to publish to ", message.topic(), kPublishClaim);
}

std::optional<Refusal> CheckSubscribe(const Grant& grant, std::string_view topic) {
  if (grant.permissions->MaySubscribe(topic, grant.user_id)) return std::nullopt;
  return Denied("to follow ", topic, kSubscribeClaim);
}

std::optional<Refusal> CheckPresence(const Grant& grant, std::string_view topic) {
  if (!grant.permissions->presence) {
    return DeniedSwitch(Concat({"to ask who follows ", Named(topic)}), kPresenceClaim);
  }
  if (grant.permissions->MaySubscribe(topic, grant.user_id)) return std::nullopt;
  return Denied("to ask who follows ", topic, kSubscribeClaim);
}

std::optional<Refusal> CheckHistory(const Grant& grant, std::string_view topic) {
  if (!grant.permissions->history) {
    return DeniedSwitch(Concat({"the history of ", Named(topic)}), kHistoryClaim);
  }
  if (grant.permissions->MaySubscribe(topic, grant.user_id)) return std::nullopt;
  return Denied("the history of ", topic, kSubscribeClaim);
}

bool SessionAccess::TakeToken(TimePoint now) {
  if (now - second_begun_ >= std::chrono::seconds(1)) {
    second_begun_ = now;
    tokens_ = 0;
  }
  return ++tokens_ <= kTokensPerSecond;
}

int64_t SessionAccess::bytes() const {
  constexpr size_t kEndEntry = 64;
  size_t bytes = sizeof(SessionAccess) + kEndEntry;
  if (grant.permissions != nullptr) bytes += grant.permissions->bytes();
  return static_cast<int64_t>(bytes);
}

}  // namespace crier
