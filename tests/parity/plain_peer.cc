// The peer of the plain dialect: translates its messages to the model and back.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <utility>

#include "tests/parity/peer.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

namespace json = boost::json;

// What a broadcast without data says in the plain dialect; the model leaves it absent.
constexpr std::string_view kServerNamePrefix = "crier/";

std::string Text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->as_string());
}

uint64_t Number(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? 0 : value->to_number<uint64_t>();
}

void FillMessage(const json::object& object, v1::ActionType action, v1::Message* message) {
  message->set_action_type(action);
  message->set_user_id(Text(object, "user_id"));
  message->set_body(Text(object, "body"));
  message->set_topic(Text(object, "topic"));
  message->set_id(Text(object, "id"));
  message->set_offset(Number(object, "offset"));
  message->set_epoch(Number(object, "epoch"));
  const std::string data = Text(object, "data");
  const bool is_servers_own =
      action == v1::DIRECT || (action == v1::BROADCAST && data.starts_with(kServerNamePrefix));
  if (!is_servers_own) message->set_data(data);
}

void FillGap(const json::object& object, v1::Gap* gap) {
  const std::string range = Text(object, "body");
  const size_t dash = range.find('-');
  gap->set_first(std::stoull(range.substr(0, dash)));
  gap->set_last(std::stoull(range.substr(dash + 1)));
  v1::GapReason reason = v1::GAP_REASON_UNSPECIFIED;
  EXPECT_TRUE(v1::GapReason_Parse(Text(object, "data"), &reason));
  gap->set_reason(reason);
  gap->set_mailbox(!object.contains("topic"));
  gap->set_presence(object.contains("presence") && object.at("presence").as_bool());
  gap->set_topic(Text(object, "topic"));
  gap->set_epoch(Number(object, "epoch"));
}

void FillUsers(const json::object& object, std::string_view key,
               google::protobuf::RepeatedPtrField<std::string>* users) {
  for (const json::value& user : object.at(key).as_array()) {
    users->Add(std::string(user.as_string()));
  }
}

void FillChange(const json::object& object, v1::PresenceChange* change) {
  change->set_topic(Text(object, "topic"));
  change->set_sessions(std::stoull(Text(object, "body")));
  FillUsers(object, "joined", change->mutable_joined());
  FillUsers(object, "left", change->mutable_left());
  change->set_joined_count(Number(object, "joined_count"));
  change->set_left_count(Number(object, "left_count"));
  change->set_user_count(Number(object, "user_count"));
  change->set_version(Number(object, "version"));
}

class PlainPeer final : public Peer {
 public:
  PlainPeer(const std::string& address, const Login& login)
      : client_(address, WebSocketClient::Options{.target = TargetFor(login),
                                                  .headers = HeadersFor(login)}) {
    EXPECT_EQ(client_.status(), 101);
    if (login.in == TokenIn::kFrame && !login.token.empty()) {
      client_.SendText(R"({"action_type":"auth","body":")" + login.token + "\"}");
    }
    if (login.quiet) return;
    // No greeting is sent in this dialect; this is acked once the topic that every session follows
    // is followed, and the session counted among its recipients.
    client_.SendText(R"({"action_type":"subscribe","topic":"","id":"stands"})");
    EXPECT_FALSE(client_.ReadText().empty());
  }

  void Send(const v1::ClientFrame& frame) override { client_.SendText(PlainTextOf(frame)); }
  void SendGarbage() override { client_.SendText("{\"action_type\":"); }
  v1::Event Next() override {
    const std::string text = client_.ReadText();
    if (text.empty()) {
      ADD_FAILURE() << "nothing came";
      return {};
    }
    return EventOfPlainText(text);
  }
  Ending WaitForEnd() override { return EndingOf(client_.ReadClose()); }
  int CodeOf(const OutcomeInfo& info) const override { return info.repeated_close_code; }
  WebSocketClient* socket() override { return &client_; }
  void Leave() override { client_.CloseNicely(); }
  void Break() override { client_.Reset(); }

 private:
  WebSocketClient client_;
};

}  // namespace

v1::Event EventOfPlainText(std::string_view text) {
  const json::object object = json::parse(text).as_object();
  const std::string action = Text(object, "action_type");
  v1::Event event;
  v1::ActionType known;
  std::string capitals;
  for (const char c : action) capitals += static_cast<char>(std::toupper(c));
  if (v1::ActionType_Parse(capitals, &known)) {
    FillMessage(object, known, event.mutable_message());
  } else if (action == "gap") {
    FillGap(object, event.mutable_gap());
  } else if (action == "ack") {
    v1::Ack& ack = *event.mutable_ack();
    ack.set_id(Text(object, "id"));
    ack.set_topic(Text(object, "topic"));
    ack.set_offset(Number(object, "offset"));
    ack.set_epoch(Number(object, "epoch"));
    ack.set_recipients(Number(object, "recipients"));
    ack.set_duplicate(Text(object, "data") == "duplicate");
    ack.set_user_id(Text(object, "user_id"));
  } else if (action == "error") {
    v1::Error& error = *event.mutable_error();
    error.set_outcome(Text(object, "data"));
    error.set_id(Text(object, "id"));
    error.set_user_id(Text(object, "user_id"));
  } else if (action == "presence") {
    v1::Presence& presence = *event.mutable_presence();
    presence.set_topic(Text(object, "topic"));
    presence.set_id(Text(object, "id"));
    presence.set_sessions(std::stoull(Text(object, "body")));
    FillUsers(object, "users", presence.mutable_users());
    presence.set_version(Number(object, "version"));
    presence.set_user_count(Number(object, "user_count"));
  } else if (action == "presence_change") {
    FillChange(object, event.mutable_presence_change());
  } else {
    ADD_FAILURE() << "not of the plain dialect: " << text;
  }
  return event;
}

std::string PlainTextOf(const v1::ClientFrame& frame) {
  json::object object;
  const auto set = [&object](std::string_view key, const std::string& value) {
    if (!value.empty()) object[key] = value;
  };
  if (frame.has_publish()) {
    const v1::Message& message = frame.publish();
    std::string action = v1::ActionType_Name(message.action_type());
    for (char& c : action) c = static_cast<char>(std::tolower(c));
    object["action_type"] = action;
    object["body"] = message.body();
    set("user_id", message.user_id());
    set("to", message.to());
    set("topic", message.topic());
    set("id", message.id());
    if (message.has_data()) object["data"] = message.data();
  } else if (frame.has_subscribe()) {
    object["action_type"] = "subscribe";
    object["topic"] = frame.subscribe().topic();
    set("id", frame.subscribe().id());
    if (frame.subscribe().presence()) object["presence"] = true;
    if (frame.subscribe().has_resume()) {
      object["epoch"] = frame.subscribe().resume().epoch();
      object["offset"] = frame.subscribe().resume().offset();
    }
  } else if (frame.has_unsubscribe()) {
    object["action_type"] = "unsubscribe";
    object["topic"] = frame.unsubscribe().topic();
    set("id", frame.unsubscribe().id());
  } else if (frame.has_presence()) {
    object["action_type"] = "presence";
    object["topic"] = frame.presence().topic();
    set("id", frame.presence().id());
  } else if (frame.has_auth()) {
    object["action_type"] = "auth";
    object["body"] = frame.auth().token();
    set("id", frame.auth().id());
  } else {
    ADD_FAILURE() << "the plain dialect has no word for " << frame.ShortDebugString();
  }
  return json::serialize(object);
}

std::unique_ptr<Peer> MakePlainPeer(const std::string& address, const Login& login) {
  return std::make_unique<PlainPeer>(address, login);
}

}  // namespace crier::testing
