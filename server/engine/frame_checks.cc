#include "server/engine/frame_checks.h"

#include <google/protobuf/unknown_field_set.h>

#include "absl/strings/str_cat.h"

namespace crier {
namespace {

// A user's name is a key like a topic's.
constexpr size_t kMaxUserBytes = 255;

std::optional<Refusal> CheckLength(std::string_view what, std::string_view value, size_t most,
                                   Outcome outcome = Outcome::kInvalidMessage) {
  if (value.size() <= most) return std::nullopt;
  return Refusal{outcome, absl::StrCat(std::string(what), " has ", value.size(), " bytes; at most ",
                                       most, " are accepted")};
}

}  // namespace

std::optional<Refusal> CheckMessage(const v1::Message& message, const EngineOptions& options) {
  switch (message.action_type()) {
    case v1::DIRECT:
    case v1::BROADCAST:
    case v1::PING:
    case v1::PONG:
      break;
    default:
      return Refusal{Outcome::kInvalidMessage,
                     "action_type is missing or unknown; it is one of DIRECT, BROADCAST, PING, "
                     "PONG"};
  }
  if (auto refusal =
          CheckLength("body", message.body(), options.max_body_bytes, Outcome::kMessageTooBig)) {
    return refusal;
  }
  if (auto refusal =
          CheckLength("data", message.data(), options.max_body_bytes, Outcome::kMessageTooBig)) {
    return refusal;
  }
  if (auto refusal = CheckUser(message.user_id())) return refusal;
  if (auto refusal = CheckLength("to", message.to(), kMaxUserBytes)) return refusal;
  if (auto refusal = CheckId(message.id(), options)) return refusal;
  return CheckTopic(message.topic(), options);
}

void DropUnknownFields(v1::Message* message) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  // Asked first: a message without any has no place for them, and would make one.
  if (reflection.GetUnknownFields(*message).empty()) return;
  reflection.MutableUnknownFields(message)->Clear();
}

std::optional<Refusal> CheckTopic(std::string_view topic, const EngineOptions& options) {
  return CheckLength("topic", topic, options.max_topic_bytes);
}

std::optional<Refusal> CheckUser(std::string_view user_id) {
  return CheckLength("user_id", user_id, kMaxUserBytes);
}

std::optional<Refusal> CheckId(std::string_view id, const EngineOptions& options) {
  return CheckLength("id", id, options.max_id_bytes);
}

}  // namespace crier
