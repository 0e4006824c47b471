#include "server/engine/gate.h"

#include <google/protobuf/unknown_field_set.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/auth/authenticator.h"
#include "server/base/utf8.h"

namespace crier {
namespace {

using Checked = std::optional<Refusal>;

Checked CheckText(std::string_view what, std::string_view value, size_t most,
                  Outcome too_long = Outcome::kInvalidMessage) {
  if (value.empty()) return std::nullopt;
  if (value.size() > most) {
    return Refusal{too_long, absl::StrCat(std::string(what), " has ", value.size(),
                                          " bytes; at most ", most, " are accepted")};
  }
  const size_t valid = FirstInvalidUtf8(value);
  if (valid != value.size()) {
    return Refusal{Outcome::kInvalidUtf8,
                   absl::StrCat(std::string(what), " is not UTF-8: its byte ", valid + 1,
                                " begins no valid character")};
  }
  return std::nullopt;
}

Checked CheckUser(std::string_view user_id) {
  return CheckText("user_id", user_id, UserId::kMaxBytes);
}

Checked CheckId(std::string_view id, const EngineOptions& options) {
  return CheckText("id", id, options.max_id_bytes);
}

Checked CheckToken(std::string_view token) {
  return CheckText("token", token, kMaxTokenBytes, Outcome::kMessageTooBig);
}

Checked CheckPolicy(v1::SlowConsumerPolicy policy) {
  if (v1::SlowConsumerPolicy_IsValid(policy)) return std::nullopt;
  return Refusal{Outcome::kInvalidMessage,
                 absl::StrCat("slow_consumer_policy is ", static_cast<int>(policy),
                              ", which is unknown; it is one of SKIP, CLOSE")};
}

Checked CheckMessage(const v1::Message& message, const EngineOptions& options) {
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
  const size_t most = options.max_body_bytes;
  if (auto no = CheckText("body", message.body(), most, Outcome::kMessageTooBig)) return no;
  if (auto no = CheckText("data", message.data(), most, Outcome::kMessageTooBig)) return no;
  if (auto no = CheckUser(message.user_id())) return no;
  if (auto no = CheckText("to", message.to(), UserId::kMaxBytes)) return no;
  if (auto no = CheckId(message.id(), options)) return no;
  return AdmitTopic(message.topic(), options);
}

// Receivers would get them too, and what they hold is not checked.
void DropUnknownFields(v1::Message* message) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  // Asked first: a message without any has no place for them, and would make one.
  if (reflection.GetUnknownFields(*message).empty()) return;
  reflection.MutableUnknownFields(message)->Clear();
}

Checked CheckHello(const v1::Hello& hello, const EngineOptions& options) {
  // Each point may bring a gap, so their number has a limit also where they name one topic.
  const size_t most = options.max_topics_per_session + 1;
  if (static_cast<size_t>(hello.resume_size()) > most) {
    return Refusal{Outcome::kTooManyTopics,
                   absl::StrCat("hello has ", hello.resume_size(), " resume points; at most ", most,
                                " are accepted, one for each topic")};
  }
  for (const v1::ResumePoint& point : hello.resume()) {
    if (auto no = AdmitTopic(point.topic(), options)) return no;
  }
  if (auto no = CheckPolicy(hello.slow_consumer_policy())) return no;
  if (auto no = CheckToken(hello.token())) return no;
  return CheckUser(hello.user_id());
}

Checked CheckSubscribe(const v1::Subscribe& subscribe, const EngineOptions& options) {
  if (auto no = AdmitTopic(subscribe.topic(), options)) return no;
  if (auto no = CheckPolicy(subscribe.slow_consumer_policy())) return no;
  return CheckId(subscribe.id(), options);
}

Checked CheckUnsubscribe(const v1::Unsubscribe& unsubscribe, const EngineOptions& options) {
  if (unsubscribe.topic().empty()) {
    return Refusal{Outcome::kInvalidMessage,
                   "the topic without a name is followed by every session"};
  }
  if (auto no = AdmitTopic(unsubscribe.topic(), options)) return no;
  return CheckId(unsubscribe.id(), options);
}

Checked CheckPresence(const v1::PresenceQuery& query, const EngineOptions& options) {
  if (auto no = AdmitTopic(query.topic(), options)) return no;
  return CheckId(query.id(), options);
}

Checked CheckAuth(const v1::Auth& auth, const EngineOptions& options) {
  if (auto no = CheckToken(auth.token())) return no;
  return CheckId(auth.id(), options);
}

std::string_view RawIdOf(const v1::ClientFrame& frame) {
  switch (frame.frame_case()) {
    case v1::ClientFrame::kPublish:
      return frame.publish().id();
    case v1::ClientFrame::kSubscribe:
      return frame.subscribe().id();
    case v1::ClientFrame::kUnsubscribe:
      return frame.unsubscribe().id();
    case v1::ClientFrame::kPing:
      return frame.ping().id();
    case v1::ClientFrame::kPresence:
      return frame.presence().id();
    case v1::ClientFrame::kAuth:
      return frame.auth().id();
    default:
      return {};
  }
}

}  // namespace

std::variant<UserId, Refusal> UserId::Admit(std::string name) {
  if (auto no = CheckUser(name)) return std::move(*no);
  return UserId(std::move(name));
}

std::optional<Refusal> AdmitFrame(v1::ClientFrame* frame, const EngineOptions& options) {
  if (auto no = CheckUser(frame->user_id())) return no;
  switch (frame->frame_case()) {
    case v1::ClientFrame::kPublish:
      DropUnknownFields(frame->mutable_publish());
      return CheckMessage(frame->publish(), options);
    case v1::ClientFrame::kHello:
      return CheckHello(frame->hello(), options);
    case v1::ClientFrame::kSubscribe:
      return CheckSubscribe(frame->subscribe(), options);
    case v1::ClientFrame::kUnsubscribe:
      return CheckUnsubscribe(frame->unsubscribe(), options);
    case v1::ClientFrame::kPing:
      return CheckId(frame->ping().id(), options);
    case v1::ClientFrame::kPresence:
      return CheckPresence(frame->presence(), options);
    case v1::ClientFrame::kAuth:
      return CheckAuth(frame->auth(), options);
    case v1::ClientFrame::FRAME_NOT_SET:
      break;
  }
  return Refusal{Outcome::kInvalidMessage,
                 "an empty frame; it holds one of hello, publish, subscribe, unsubscribe, ping, "
                 "presence, auth"};
}

std::optional<Refusal> AdmitPublish(v1::Message* message, const EngineOptions& options) {
  DropUnknownFields(message);
  if (auto no = CheckMessage(*message, options)) return no;
  if (message->action_type() != v1::DIRECT && message->action_type() != v1::BROADCAST) {
    return Refusal{Outcome::kInvalidMessage,
                   "action_type is one of DIRECT, BROADCAST where there is no session"};
  }
  if (message->action_type() == v1::DIRECT && message->to().empty()) {
    return Refusal{Outcome::kInvalidMessage,
                   "to is missing: without a session there is no sender to answer"};
  }
  return std::nullopt;
}

std::optional<Refusal> AdmitTopic(std::string_view topic, const EngineOptions& options) {
  return CheckText("topic", topic, options.max_topic_bytes);
}

std::string_view IdOf(const v1::ClientFrame& frame, const EngineOptions& options) {
  return SendableId(RawIdOf(frame), options);
}

std::string_view SendableId(std::string_view id, const EngineOptions& options) {
  return Utf8Prefix(id.substr(0, FirstInvalidUtf8(id.substr(0, options.max_id_bytes + 4))),
                    options.max_id_bytes);
}

}  // namespace crier
