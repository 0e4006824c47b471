// What is refused, and how; and what keeps the engine's memory bounded.
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class LimitsTest : public EngineTest {
 protected:
  void ExpectRefused(FakeClient& client, std::string_view outcome, std::string_view words) {
    const auto events = client.Events();
    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].error().outcome(), outcome);
    EXPECT_THAT(events[0].error().message(), HasSubstr(std::string(words)));
    EXPECT_EQ(client.closed, std::nullopt);
  }
};

TEST_F(LimitsTest, ABodyMayHave64KiBAndNotOneMore) {
  auto alice = Join("alice");
  alice->Broadcast(std::string(64 << 10, 'x'));
  EXPECT_THAT(alice->Story(), SizeIs(1));
  alice->Broadcast(std::string((64 << 10) + 1, 'x'));
  ExpectRefused(*alice, "MESSAGE_TOO_BIG", "at most 65536");
}

TEST_F(LimitsTest, NamesAndIdsHaveALength) {
  auto alice = Join("alice");
  alice->Broadcast("x", std::string(256, 't'));
  ExpectRefused(*alice, "INVALID_MESSAGE", "topic has 256 bytes; at most 255");
  alice->Subscribe(std::string(256, 't'));
  ExpectRefused(*alice, "INVALID_MESSAGE", "topic has 256 bytes");
  alice->Broadcast("x", "", std::string(65, 'i'));
  ExpectRefused(*alice, "INVALID_MESSAGE", "id has 65 bytes; at most 64");
  alice->Direct(std::string(256, 'u'), "x");
  ExpectRefused(*alice, "INVALID_MESSAGE", "to has 256 bytes");
}

TEST_F(LimitsTest, AFrameHasToSayWhatItIs) {
  auto alice = Join("alice");
  alice->Send({});
  ExpectRefused(*alice, "INVALID_MESSAGE", "empty frame");
  v1::ClientFrame frame;
  frame.mutable_publish()->set_body("x");
  alice->Send(frame);
  ExpectRefused(*alice, "INVALID_MESSAGE", "action_type");
  frame.mutable_hello();
  alice->Send(frame);
  ExpectRefused(*alice, "INVALID_MESSAGE", "hello has to be the first");
  alice->Unsubscribe("");
  ExpectRefused(*alice, "INVALID_MESSAGE", "followed by every session");
}

bool HasUnknownFields(const v1::Message& message) {
  return !message.GetReflection()->GetUnknownFields(message).empty();
}

// Nested as deep as a parser takes them in a publish, so that it would not take them in an event.
v1::Message WithUnknownFields() {
  constexpr int kDepth = 99;
  std::string bytes;
  for (int i = 0; i < kDepth; ++i) bytes += "\xA3\x06";  // group 100 begins
  for (int i = 0; i < kDepth; ++i) bytes += "\xA4\x06";  // group 100 ends
  v1::Message message;
  EXPECT_TRUE(message.ParseFromString(bytes));
  EXPECT_TRUE(HasUnknownFields(message));
  message.set_action_type(v1::BROADCAST);
  message.set_topic("t");
  return message;
}

TEST_F(LimitsTest, FieldsThatTheModelDoesNotKnowGoToNobody) {
  auto alice = Join("alice");
  alice->Subscribe("t");
  v1::ClientFrame frame;
  *frame.mutable_publish() = WithUnknownFields();
  alice->Send(frame);
  engine().Publish(engine().shard(0), WithUnknownFields(), [](const PublishResult&) {});
  engine().RunUntilIdle();
  const auto events = alice->Events();
  ASSERT_THAT(events, SizeIs(2));
  for (const v1::Event& event : events) {
    EXPECT_EQ(event.message().topic(), "t");
    EXPECT_FALSE(HasUnknownFields(event.message()));
  }
}

TEST_F(LimitsTest, ASessionFollowsSoManyTopics) {
  options.max_topics_per_session = 3;
  auto alice = Join("alice");
  for (const char* topic : {"a", "b", "c", "b"}) alice->Subscribe(topic);
  EXPECT_THAT(alice->Events(), SizeIs(0));
  alice->Subscribe("d");
  ExpectRefused(*alice, "TOO_MANY_TOPICS", "3 topics");
  alice->Unsubscribe("a");
  alice->Subscribe("d");
  alice->Broadcast("x", "d");
  EXPECT_THAT(alice->Story(), ElementsAre("x"));
}

TEST_F(LimitsTest, AHelloHasAsManyResumePointsAsASessionMayHaveTopics) {
  options.max_topics_per_session = 3;
  const auto hello = [](int points) {
    v1::ClientFrame frame;
    for (int i = 0; i < points; ++i) frame.mutable_hello()->add_resume()->set_epoch(1);
    return frame;
  };
  auto alice = Join("alice");
  alice->Send(hello(5));
  ExpectRefused(*alice, "TOO_MANY_TOPICS", "hello has 5 resume points; at most 4");
}

TEST_F(LimitsTest, TooManyRefusalsInAShortTimeCloseTheSession) {
  options.max_errors = 3;
  auto alice = Join("alice");
  alice->Send({});
  alice->Send({});
  Pass(seconds(11));
  alice->Send({});
  alice->Send({});
  EXPECT_EQ(alice->closed, std::nullopt);
  alice->Send({});
  EXPECT_EQ(alice->closed, Outcome::kInvalidMessage);
  EXPECT_NE(Info(*alice->closed).repeated_close_code, 0);
}

TEST_F(LimitsTest, AskingForAbsentUsersIsNoAbuse) {
  options.max_errors = 3;
  auto alice = Join("alice");
  for (int i = 0; i < 10; ++i) alice->Direct("nobody", "x");
  EXPECT_EQ(alice->closed, std::nullopt);
}

TEST_F(LimitsTest, MessagesPerSecondAreCapped) {
  options.max_messages_per_second = 5;
  auto alice = Join("alice");
  for (int i = 0; i < 8; ++i) alice->Direct("", std::to_string(i));
  int refused = 0;
  for (const auto& event : alice->Events()) {
    if (event.has_error()) {
      ++refused;
      EXPECT_EQ(event.error().outcome(), "RATE_LIMITED");
    }
  }
  EXPECT_EQ(refused, 3);
  clock.Advance(seconds(1));
  for (int i = 0; i < 5; ++i) alice->Direct("", "later");
  EXPECT_THAT(alice->Story(), SizeIs(5));
}

TEST_F(LimitsTest, BytesPerSecondAreCapped) {
  options.max_bytes_per_second = 10'000;
  auto alice = Join("alice");
  for (int i = 0; i < 20; ++i) alice->Direct("", std::string(980, 'x'));
  // A second's worth at once, and the one that goes over it.
  int taken = 0;
  for (const auto& event : alice->Events()) {
    taken += event.has_message() ? 1 : 0;
    if (event.has_error()) {
      EXPECT_EQ(event.error().outcome(), "RATE_LIMITED");
      EXPECT_EQ(event.error().message(), "more than 10000 bytes per second");
    }
  }
  EXPECT_EQ(taken, 11);
  // What went over it is missing from what comes; what was refused has cost nothing.
  clock.Advance(std::chrono::milliseconds(100));
  alice->Direct("", "x");
  EXPECT_THAT(alice->Story(), SizeIs(1));
  clock.Advance(seconds(60));
  for (int i = 0; i < 20; ++i) alice->Direct("", std::string(980, 'x'));
  EXPECT_THAT(alice->Story(), SizeIs(11));
}

TEST_F(LimitsTest, AMessageMayBeLongerThanASecondsBytes) {
  options.max_bytes_per_second = 1000;
  auto alice = Join("alice");
  const auto sends = [&alice](size_t bytes) {
    alice->Direct("", std::string(bytes, 'x'));
    return alice->Story().size() == 1;
  };
  EXPECT_TRUE(sends(10'000));
  EXPECT_FALSE(sends(1));
  EXPECT_TRUE(alice->session().AllowControlFrame()) << "it has no bytes";
  clock.Advance(seconds(8));
  EXPECT_FALSE(sends(1)) << "it has taken ten seconds' worth, and one was there";
  clock.Advance(seconds(2));
  EXPECT_TRUE(sends(1));
}

// What the codec cannot read has been received all the same.
TEST_F(LimitsTest, WhatIsNoFrameCountsToo) {
  options.max_bytes_per_second = 1000;
  options.max_messages_per_second = 2;
  auto alice = Join("alice");
  alice->session().Refuse(Outcome::kInvalidMessage, "no", 2000);
  engine().RunUntilIdle();
  ExpectRefused(*alice, "INVALID_MESSAGE", "no");
  alice->Direct("", "x");
  ExpectRefused(*alice, "RATE_LIMITED", "more than 1000 bytes per second");
  clock.Advance(seconds(3));
  alice->session().Refuse(Outcome::kInvalidMessage, "no", 1);
  alice->session().Refuse(Outcome::kInvalidMessage, "no", 1);
  engine().RunUntilIdle();
  EXPECT_THAT(alice->Events(), SizeIs(2));
  alice->Direct("", "x");
  ExpectRefused(*alice, "RATE_LIMITED", "more than 2 frames per second");
}

// --- Sessions of a user.

TEST_F(LimitsTest, AUserHasSoManySessionsOnAllShards) {
  options.shards = 4;
  options.max_sessions_per_user = 3;
  std::vector<std::unique_ptr<FakeClient>> sessions;
  for (size_t i = 0; i < 8; ++i) sessions.push_back(Join("alice", i % 4));
  const auto open = [&sessions] {
    return std::count_if(sessions.begin(), sessions.end(),
                         [](const auto& session) { return !session->closed.has_value(); });
  };
  EXPECT_EQ(open(), 3);
  for (size_t i = 3; i < 8; ++i) EXPECT_EQ(sessions[i]->closed, Outcome::kTooManySessions) << i;
  // That those end which were refused gives nobody room.
  for (size_t i = 3; i < 8; ++i) sessions[i]->Leave(Outcome::kTooManySessions);
  sessions.resize(3);
  EXPECT_EQ(Join("alice", 2)->closed, Outcome::kTooManySessions);
  EXPECT_EQ(Join("bob", 2)->closed, std::nullopt);
  EXPECT_EQ(Join("", 2)->closed, std::nullopt) << "nobody is no user";
  sessions[1]->Leave();
  sessions.erase(sessions.begin() + 1);
  sessions.push_back(Join("alice", 1));
  EXPECT_EQ(open(), 3);
  // Who was let in is reached, and nobody else.
  auto bob = Join("bob");
  bob->Direct("alice", "hello", "id");
  for (const auto& event : bob->Events()) EXPECT_EQ(event.ack().recipients(), 3u);
}

// All are on their way to the user's home when the first one arrives there.
TEST_F(LimitsTest, SessionsThatComeAtTheSameTimeAreCountedOnce) {
  options.shards = 4;
  options.max_sessions_per_user = 2;
  std::vector<std::unique_ptr<FakeClient>> sessions;
  for (size_t i = 0; i < 8; ++i) {
    SessionOptions session;
    session.encoding = &CanonicalEncoding();
    session.adopt_user_id = true;
    sessions.push_back(std::make_unique<FakeClient>(&engine(), i % 4, session));
  }
  for (const auto& session : sessions) {
    v1::ClientFrame frame;
    frame.mutable_hello()->set_user_id("alice");
    session->session().Handle(frame, session->session().shard().ArrivalNow(), 0);
  }
  engine().RunUntilIdle();
  EXPECT_EQ(std::count_if(sessions.begin(), sessions.end(),
                          [](const auto& session) { return !session->closed.has_value(); }),
            2);
}

TEST_F(LimitsTest, OldEventsAndForgottenTopicsGo) {
  auto alice = Join("alice");
  alice->Broadcast("x", "t");
  alice->Broadcast("x");
  EXPECT_EQ(metrics().topics.value(), 2);
  EXPECT_GT(Memory(MemoryKind::kLogs), 0);
  Pass(minutes(6));
  EXPECT_EQ(Memory(MemoryKind::kLogs), 0);
  Pass(minutes(10));
  EXPECT_EQ(metrics().topics.value(), 1);  // the empty one stays
  alice->Broadcast("again", "t");
  EXPECT_EQ(metrics().topics.value(), 2);
}

TEST_F(LimitsTest, AnEncodingGoesWithItsLastFollower) {
  auto alice = Join("alice");
  const auto log_bytes = [&] {
    alice->Broadcast(std::string(1000, 'x'), "t");
    return Memory(MemoryKind::kLogs);
  };
  const auto alone = log_bytes();
  auto bob = Join("bob", 0, TextLineEncoding());
  bob->Subscribe("t");
  const auto both = log_bytes();
  EXPECT_GT(both, alone + 1000);
  bob->Leave();
  EXPECT_LT(Memory(MemoryKind::kLogs), both - 1000);
}

TEST_F(LimitsTest, DrainTellsEverySessionAndThenClosesIt) {
  auto alice = Join("alice");
  auto bob = Join("bob", 0, TextLineEncoding());
  bool done = false;
  engine().Drain(seconds(10), [&] { done = true; });
  engine().RunUntilIdle();
  EXPECT_TRUE(alice->Events().at(0).has_drain());
  EXPECT_EQ(alice->closed, std::nullopt);
  Pass(kTickInterval);
  EXPECT_EQ(alice->closed, Outcome::kShutdown);
  EXPECT_EQ(bob->closed, Outcome::kShutdown);
  alice->Leave(Outcome::kShutdown);
  EXPECT_FALSE(done);
  bob->Leave(Outcome::kShutdown);
  EXPECT_TRUE(done);
}

TEST_F(LimitsTest, DrainClosesManySessionsBitByBit) {
  bool done = false;  // which the last client to leave sets
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (int i = 0; i < 1000; ++i) clients.push_back(Join());
  engine().Drain(std::chrono::milliseconds(400), [&] { done = true; });
  engine().RunUntilIdle();
  std::vector<long> closed;
  for (int tick = 0; tick < 4; ++tick) {
    Pass(kTickInterval);
    closed.push_back(std::count_if(clients.begin(), clients.end(),
                                   [](const auto& client) { return client->closed.has_value(); }));
  }
  EXPECT_LT(closed[0], 400);
  EXPECT_EQ(closed[3], 1000);
}

}  // namespace
}  // namespace crier
