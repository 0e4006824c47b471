#include "client/plain_dialect.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "client/text.h"

namespace crier::client {
namespace {

namespace json = boost::json;

void Put(json::object* object, std::string_view key, const std::string& value) {
  if (!value.empty()) (*object)[key] = value;
}

absl::Status EncodePublish(const v1::Message& message, json::object* object) {
  if (message.user_id().empty()) {
    (*object)["user_id"] = nullptr;
  } else {
    (*object)["user_id"] = message.user_id();
  }
  switch (message.action_type()) {
    case v1::DIRECT:
      (*object)["action_type"] = "direct";
      break;
    case v1::BROADCAST:
      (*object)["action_type"] = "broadcast";
      break;
    case v1::PING:
      (*object)["action_type"] = "ping";
      break;
    case v1::PONG:
      (*object)["action_type"] = "pong";
      break;
    default:
      return absl::InvalidArgumentError("a message needs an action");
  }
  (*object)["body"] = message.body();
  if (message.has_data()) {
    (*object)["data"] = message.data();
  } else {
    (*object)["data"] = nullptr;
  }
  Put(object, "to", message.to());
  Put(object, "topic", message.topic());
  Put(object, "id", message.id());
  return absl::OkStatus();
}

// The keys of one message from the server.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  std::string String(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    const json::string* string = value == nullptr ? nullptr : value->if_string();
    return string == nullptr ? std::string() : std::string(*string);
  }
  uint64_t Number(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    json::error_code error;
    const auto number = value == nullptr ? 0 : value->to_number<uint64_t>(error);
    return error ? 0 : number;
  }
  bool Has(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    return value != nullptr && !value->is_null();
  }
  std::vector<std::string> Strings(std::string_view key) const {
    std::vector<std::string> strings;
    const json::value* value = object_.if_contains(key);
    const json::array* array = value == nullptr ? nullptr : value->if_array();
    if (array == nullptr) return strings;
    for (const json::value& element : *array) {
      if (element.is_string()) strings.emplace_back(element.get_string());
    }
    return strings;
  }

 private:
  const json::object& object_;
};

void DecodeMessage(const Fields& fields, v1::ActionType action, v1::Message* message) {
  message->set_action_type(action);
  message->set_user_id(fields.String("user_id"));
  message->set_body(fields.String("body"));
  if (fields.Has("data")) message->set_data(fields.String("data"));
  message->set_topic(fields.String("topic"));
  message->set_offset(fields.Number("offset"));
  message->set_epoch(fields.Number("epoch"));
  message->set_id(fields.String("id"));
  int64_t received_at = 0;
  if (action == v1::DIRECT && absl::SimpleAtoi(message->data(), &received_at)) {
    message->set_received_at(received_at);
  }
}

absl::Status DecodeGap(const Fields& fields, v1::Gap* gap) {
  const std::string body = fields.String("body");
  const auto [from, to] = SplitOnce(body, '-');
  uint64_t first = 0;
  uint64_t last = 0;
  if (!absl::SimpleAtoi(ForAbsl(from), &first) || !absl::SimpleAtoi(ForAbsl(to), &last)) {
    return absl::InvalidArgumentError(Concat("a gap's body is \"", body, "\""));
  }
  gap->set_first(first);
  gap->set_last(last);
  v1::GapReason reason = v1::GAP_REASON_UNSPECIFIED;
  v1::GapReason_Parse(fields.String("data"), &reason);
  gap->set_reason(reason);
  gap->set_topic(fields.String("topic"));
  gap->set_epoch(fields.Number("epoch"));
  gap->set_mailbox(!fields.Has("epoch"));
  gap->set_presence(fields.Has("presence"));
  return absl::OkStatus();
}

void DecodeAck(const Fields& fields, v1::Ack* ack) {
  ack->set_id(fields.String("id"));
  ack->set_topic(fields.String("topic"));
  ack->set_epoch(fields.Number("epoch"));
  ack->set_offset(fields.Number("offset"));
  ack->set_recipients(fields.Number("recipients"));
  ack->set_duplicate(fields.String("data") == "duplicate");
  ack->set_user_id(fields.String("user_id"));
}

void SetMilliseconds(uint64_t milliseconds, google::protobuf::Duration* duration) {
  duration->set_seconds(static_cast<int64_t>(milliseconds / 1000));
  duration->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
}

void DecodeError(const Fields& fields, v1::Error* error) {
  error->set_outcome(fields.String("data"));
  error->set_message(fields.String("body"));
  error->set_id(fields.String("id"));
  error->set_user_id(fields.String("user_id"));
  error->set_advice(fields.String("advice"));
  if (fields.Has("retry_after_ms")) {
    SetMilliseconds(fields.Number("retry_after_ms"), error->mutable_retry_after());
  }
}

void DecodeDrain(const Fields& fields, v1::Drain* drain) {
  uint64_t milliseconds = 0;
  if (absl::SimpleAtoi(fields.String("body"), &milliseconds)) {
    SetMilliseconds(milliseconds, drain->mutable_reconnect_after());
  }
}

void DecodePresence(const Fields& fields, v1::Presence* presence) {
  uint64_t sessions = 0;
  if (absl::SimpleAtoi(fields.String("body"), &sessions)) presence->set_sessions(sessions);
  presence->set_topic(fields.String("topic"));
  presence->set_id(fields.String("id"));
  for (std::string& user : fields.Strings("users")) presence->add_users(std::move(user));
  presence->set_version(fields.Number("version"));
  presence->set_user_count(fields.Number("user_count"));
}

void DecodePresenceChange(const Fields& fields, v1::PresenceChange* change) {
  uint64_t sessions = 0;
  if (absl::SimpleAtoi(fields.String("body"), &sessions)) change->set_sessions(sessions);
  change->set_topic(fields.String("topic"));
  for (std::string& user : fields.Strings("joined")) change->add_joined(std::move(user));
  for (std::string& user : fields.Strings("left")) change->add_left(std::move(user));
  change->set_joined_count(fields.Number("joined_count"));
  change->set_left_count(fields.Number("left_count"));
  change->set_user_count(fields.Number("user_count"));
  change->set_version(fields.Number("version"));
}

}  // namespace

std::string QuoteJson(std::string_view text) { return json::serialize(json::string(text)); }

absl::StatusOr<std::string> EncodePlain(const v1::ClientFrame& frame) {
  json::object object;
  switch (frame.frame_case()) {
    case v1::ClientFrame::kPublish:
      if (absl::Status status = EncodePublish(frame.publish(), &object); !status.ok()) {
        return status;
      }
      break;
    case v1::ClientFrame::kSubscribe:
      object["action_type"] = "subscribe";
      object["topic"] = frame.subscribe().topic();  // the common one is "", and has to be named
      Put(&object, "id", frame.subscribe().id());
      if (frame.subscribe().presence()) object["presence"] = true;
      break;
    case v1::ClientFrame::kUnsubscribe:
      object["action_type"] = "unsubscribe";
      object["topic"] = frame.unsubscribe().topic();
      Put(&object, "id", frame.unsubscribe().id());
      break;
    case v1::ClientFrame::kPing:
      object["action_type"] = "ping";
      object["body"] = "";
      Put(&object, "id", frame.ping().id());
      break;
    case v1::ClientFrame::kPresence:
      object["action_type"] = "presence";
      Put(&object, "topic", frame.presence().topic());
      Put(&object, "id", frame.presence().id());
      break;
    case v1::ClientFrame::kAuth:
      object["action_type"] = "auth";
      object["body"] = frame.auth().token();
      Put(&object, "id", frame.auth().id());
      break;
    case v1::ClientFrame::kHello:
    case v1::ClientFrame::FRAME_NOT_SET:
      return absl::InvalidArgumentError("the plain dialect has no form for this frame");
  }
  return json::serialize(object);
}

absl::StatusOr<v1::Event> DecodePlain(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error) return absl::InvalidArgumentError(Concat("not JSON: ", error.message()));
  if (!value.is_object()) return absl::InvalidArgumentError("not a JSON object");
  const Fields fields(value.get_object());
  const std::string action = fields.String("action_type");
  v1::Event event;
  if (action == "broadcast") {
    DecodeMessage(fields, v1::BROADCAST, event.mutable_message());
  } else if (action == "direct") {
    DecodeMessage(fields, v1::DIRECT, event.mutable_message());
  } else if (action == "ping") {
    DecodeMessage(fields, v1::PING, event.mutable_message());
  } else if (action == "pong") {
    DecodeMessage(fields, v1::PONG, event.mutable_message());
  } else if (action == "ack") {
    DecodeAck(fields, event.mutable_ack());
  } else if (action == "error") {
    DecodeError(fields, event.mutable_error());
  } else if (action == "drain") {
    DecodeDrain(fields, event.mutable_drain());
  } else if (action == "presence") {
    DecodePresence(fields, event.mutable_presence());
  } else if (action == "presence_change") {
    DecodePresenceChange(fields, event.mutable_presence_change());
  } else if (action == "gap") {
    if (absl::Status status = DecodeGap(fields, event.mutable_gap()); !status.ok()) return status;
  } else {
    return absl::InvalidArgumentError(Concat("unknown action_type \"", action, "\""));
  }
  return event;
}

}  // namespace crier::client
