// What comes in is valid in every field, or refused with a word on which one is not.
#include "server/engine/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace crier {
namespace {

using testing::HasSubstr;

constexpr std::string_view kBad = "ab\xFF";
const std::string kLong(1000, 'x');

struct Case {
  std::string name;
  std::function<void(v1::ClientFrame*)> fill;
  Outcome outcome;
  std::string says;
};

v1::Message* Broadcast(v1::ClientFrame* frame) {
  frame->mutable_publish()->set_action_type(v1::BROADCAST);
  return frame->mutable_publish();
}

std::vector<Case> Cases() {
  const std::string bad(kBad);
  const auto utf8 = Outcome::kInvalidUtf8;
  const auto invalid = Outcome::kInvalidMessage;
  return {
      {"hello token",
       [](auto* f) { f->mutable_hello()->set_token(std::string((8 << 10) + 1, 'x')); },
       Outcome::kMessageTooBig, "token has 8193 bytes; at most 8192"},
      {"auth token", [](auto* f) { f->mutable_auth()->set_token(std::string((8 << 10) + 1, 'x')); },
       Outcome::kMessageTooBig, "token has 8193 bytes; at most 8192"},
      {"auth id", [](auto* f) { f->mutable_auth()->set_id(kLong); }, Outcome::kInvalidMessage,
       "id"},
      {"frame user",
       [=](auto* f) {
         f->set_user_id(bad);
         f->mutable_ping();
       },
       utf8, "user_id"},
      {"user", [=](auto* f) { Broadcast(f)->set_user_id(bad); }, utf8, "user_id is not UTF-8"},
      {"long user", [=](auto* f) { Broadcast(f)->set_user_id(kLong); }, invalid, "at most 255"},
      {"body", [=](auto* f) { Broadcast(f)->set_body(bad); }, utf8,
       "body is not UTF-8: its byte 3"},
      {"data", [=](auto* f) { Broadcast(f)->set_data(bad); }, utf8, "data"},
      {"id", [=](auto* f) { Broadcast(f)->set_id(bad); }, utf8, "id"},
      {"long id", [=](auto* f) { Broadcast(f)->set_id(kLong); }, invalid, "id has 1000 bytes"},
      {"to", [=](auto* f) { Broadcast(f)->set_to(bad); }, utf8, "to"},
      {"topic", [=](auto* f) { Broadcast(f)->set_topic(bad); }, utf8, "topic"},
      {"long topic", [=](auto* f) { Broadcast(f)->set_topic(kLong); }, invalid, "topic has 1000"},
      {"action", [](auto* f) { f->mutable_publish()->set_action_type(v1::ActionType(77)); },
       invalid, "action_type"},
      {"subscribe", [=](auto* f) { f->mutable_subscribe()->set_topic(bad); }, utf8, "topic"},
      {"subscribe id", [=](auto* f) { f->mutable_subscribe()->set_id(kLong); }, invalid, "id"},
      {"policy",
       [](auto* f) { f->mutable_subscribe()->set_slow_consumer_policy(v1::SlowConsumerPolicy(9)); },
       invalid, "slow_consumer_policy is 9"},
      {"unsubscribe", [=](auto* f) { f->mutable_unsubscribe()->set_topic(kLong); }, invalid,
       "topic has 1000"},
      {"unsubscribe empty", [](auto* f) { f->mutable_unsubscribe(); }, invalid, "without a name"},
      {"unsubscribe id",
       [=](auto* f) {
         f->mutable_unsubscribe()->set_topic("t");
         f->mutable_unsubscribe()->set_id(bad);
       },
       utf8, "id"},
      {"ping", [=](auto* f) { f->mutable_ping()->set_id(kLong); }, invalid, "id has 1000"},
      {"presence", [=](auto* f) { f->mutable_presence()->set_topic(bad); }, utf8, "topic"},
      {"presence id", [=](auto* f) { f->mutable_presence()->set_id(kLong); }, invalid, "id"},
      {"hello user", [=](auto* f) { f->mutable_hello()->set_user_id(bad); }, utf8, "user_id"},
      {"hello topic", [=](auto* f) { f->mutable_hello()->add_resume()->set_topic(bad); }, utf8,
       "topic"},
      {"nothing", [](auto*) {}, invalid, "empty frame"},
  };
}

TEST(GateTest, RefusesEachFieldByName) {
  for (const Case& one : Cases()) {
    v1::ClientFrame frame;
    one.fill(&frame);
    const auto refusal = AdmitFrame(&frame, EngineOptions());
    ASSERT_TRUE(refusal) << one.name;
    EXPECT_EQ(refusal->outcome, one.outcome) << one.name << ": " << refusal->message;
    EXPECT_THAT(refusal->message, HasSubstr(one.says)) << one.name;
  }
}

TEST(GateTest, PassesWhatIsRightUpToTheLimits) {
  const EngineOptions options;
  v1::ClientFrame frame;
  v1::Message& message = *Broadcast(&frame);
  message.set_user_id(std::string(255, 'u'));
  message.set_topic("Zürich \xF0\x9F\x98\x80");
  message.set_id(std::string(options.max_id_bytes, 'i'));
  message.set_body(std::string(options.max_body_bytes, 'b'));
  EXPECT_FALSE(AdmitFrame(&frame, options));
  message.mutable_body()->push_back('b');
  EXPECT_EQ(AdmitFrame(&frame, options)->outcome, Outcome::kMessageTooBig);
}

TEST(GateTest, AUserIsAdmittedOrNoUser) {
  EXPECT_TRUE(std::holds_alternative<UserId>(UserId::Admit("")));
  EXPECT_EQ(std::get<UserId>(UserId::Admit("Zoë")).str(), "Zoë");
  EXPECT_EQ(std::get<Refusal>(UserId::Admit(std::string(kBad))).outcome, Outcome::kInvalidUtf8);
  EXPECT_EQ(std::get<Refusal>(UserId::Admit(std::string(100'000, 'x'))).outcome,
            Outcome::kInvalidMessage);
}

TEST(GateTest, WithoutASessionAMessageNeedsARecipient) {
  v1::Message message;
  message.set_action_type(v1::DIRECT);
  EXPECT_THAT(AdmitPublish(&message, EngineOptions())->message, HasSubstr("to is missing"));
  message.set_to("bob");
  EXPECT_FALSE(AdmitPublish(&message, EngineOptions()));
  message.set_action_type(v1::PING);
  EXPECT_THAT(AdmitPublish(&message, EngineOptions())->message, HasSubstr("no session"));
}

TEST(GateTest, AnIdIsSentBackWithoutHalfACharacter) {
  EngineOptions options;
  options.max_id_bytes = 4;
  EXPECT_EQ(SendableId("abcé", options), "abc");
  EXPECT_EQ(SendableId("abé", options), "abé");
  EXPECT_EQ(SendableId("a\xFF"
                       "b",
                       options),
            "a");
  EXPECT_EQ(SendableId("abc\xF0\x9F\x98\x80", options), "abc");
}

}  // namespace
}  // namespace crier
