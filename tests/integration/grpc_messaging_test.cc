// Connect: conversations over one stream and between streams.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/grpc_fixture.h"

namespace crier::testing {
namespace {

class GrpcMessagingTest : public GrpcTest {
 protected:
  GrpcMessagingTest() { StartServer(); }
};

TEST_F(GrpcMessagingTest, WelcomeComesFirst) {
  auto alice = NewClient().Connect("alice");
  const auto first = alice->Next();
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(first->has_welcome()) << first->ShortDebugString();
  const v1::Welcome& welcome = first->welcome();
  EXPECT_EQ(welcome.user_id(), "alice");
  EXPECT_FALSE(welcome.session_id().empty());
  EXPECT_EQ(welcome.server(), engine_options_.server_name);
  EXPECT_EQ(welcome.limits().max_body_bytes(), 64u << 10);
  EXPECT_NE(welcome.epoch(), 0u);
  EXPECT_EQ(welcome.offset(), 0u);
  EXPECT_TRUE(welcome.has_reconnect_after());
}

TEST_F(GrpcMessagingTest, DirectWithoutRecipientComesBack) {
  auto alice = ConnectAs("alice");
  alice->Send(AsFrame(Direct("note to self")));
  const v1::Message message = alice->NextMessage();
  EXPECT_EQ(message.body(), "note to self");
  EXPECT_EQ(message.action_type(), v1::DIRECT);
  EXPECT_NE(message.received_at(), 0);
}

TEST_F(GrpcMessagingTest, DirectReachesEverySessionOfTheUser) {
  auto alice = ConnectAs("alice");
  auto bob_phone = ConnectAs("bob");
  auto bob_desk = ConnectAs("bob");
  alice->Send(AsFrame(Direct("hello", "bob", "d1")));
  EXPECT_EQ(bob_phone->NextMessage().body(), "hello");
  EXPECT_EQ(bob_desk->NextMessage().body(), "hello");
  const v1::Ack ack = alice->NextAck();
  EXPECT_EQ(ack.id(), "d1");
  EXPECT_EQ(ack.recipients(), 2u);
  EXPECT_EQ(ack.offset(), 0u);
}

TEST_F(GrpcMessagingTest, DirectToNobodyIsAnError) {
  auto alice = ConnectAs("alice");
  alice->Send(AsFrame(Direct("hello?", "nobody", "d2")));
  const v1::Error error = alice->NextError();
  EXPECT_EQ(error.outcome(), "NO_RECIPIENT");
  EXPECT_EQ(error.id(), "d2");
  alice->Settle();
}

TEST_F(GrpcMessagingTest, TheUserIsTakenFromTheFirstMessageWhereMetadataNamesNone) {
  auto carol = Connect();
  v1::Message message = Direct("it is me");
  message.set_user_id("carol");
  carol->Send(AsFrame(message));
  EXPECT_EQ(carol->NextMessage().user_id(), "carol");
  auto alice = ConnectAs("alice");
  alice->Send(AsFrame(Direct("hello carol", "carol")));
  EXPECT_EQ(carol->NextMessage().body(), "hello carol");
}

TEST_F(GrpcMessagingTest, BroadcastReachesEverybodyTheSenderIncluded) {
  auto alice = ConnectAs("alice");
  auto bob = ConnectAs("bob");
  alice->Send(AsFrame(Broadcast("to all", "", "b1")));
  const v1::Message at_bob = bob->NextMessage();
  const v1::Message at_alice = alice->NextMessage();
  EXPECT_EQ(at_bob.body(), "to all");
  EXPECT_EQ(at_bob.offset(), 1u);
  EXPECT_NE(at_bob.epoch(), 0u);
  EXPECT_EQ(at_alice.SerializeAsString(), at_bob.SerializeAsString());
  const v1::Ack ack = alice->NextAck();
  EXPECT_EQ(ack.id(), "b1");
  EXPECT_EQ(ack.offset(), 1u);
  EXPECT_EQ(ack.epoch(), at_bob.epoch());
  EXPECT_EQ(ack.recipients(), 2u);
}

TEST_F(GrpcMessagingTest, SubscribeIsAckedAndBringsTheTopicOnly) {
  auto alice = ConnectAndFollow("news", "alice");
  auto bob = ConnectAs("bob");
  bob->Send(AsFrame(Broadcast("elsewhere", "sports")));
  bob->Send(AsFrame(Broadcast("here", "news", "n1")));
  EXPECT_EQ(bob->NextAck().recipients(), 1u);
  const v1::Message message = alice->NextMessage();
  EXPECT_EQ(message.body(), "here");
  EXPECT_EQ(message.topic(), "news");
  EXPECT_EQ(message.offset(), 1u);
}

TEST_F(GrpcMessagingTest, UnsubscribedIsQuiet) {
  auto alice = ConnectAndFollow("news", "alice");
  alice->Send(Unsubscribe("news", "u1"));
  EXPECT_EQ(alice->NextAck().id(), "u1");
  v1::PublishResponse response;
  ASSERT_TRUE(NewClient().Publish(Broadcast("unheard", "news"), &response).ok());
  EXPECT_EQ(response.recipients(), 0u);
  ASSERT_TRUE(NewClient().Publish(Broadcast("heard"), &response).ok());
  EXPECT_EQ(alice->NextMessage().body(), "heard");
}

TEST_F(GrpcMessagingTest, PingIsAnswered) {
  auto alice = Connect();
  alice->Send(Ping("p1"));
  EXPECT_EQ(alice->NextPong().id(), "p1");
  // The action of the same name, as the plain dialect knows it.
  v1::Message message;
  message.set_action_type(v1::PING);
  alice->Send(AsFrame(message));
  const v1::Message answer = alice->NextMessage();
  EXPECT_EQ(answer.action_type(), v1::PING);
  EXPECT_EQ(answer.data(), "pong");
}

TEST_F(GrpcMessagingTest, PresenceNamesWhoFollows) {
  auto alice = ConnectAndFollow("room", "alice");
  auto bob = ConnectAndFollow("room", "bob");
  auto carol = ConnectAs("carol");
  carol->Send(WhoFollows("room", "w1"));
  const v1::Presence presence = carol->NextPresence();
  EXPECT_EQ(presence.id(), "w1");
  EXPECT_EQ(presence.sessions(), 2u);
  std::vector<std::string> users(presence.users().begin(), presence.users().end());
  std::sort(users.begin(), users.end());
  EXPECT_EQ(users, (std::vector<std::string>{"alice", "bob"}));
}

TEST_F(GrpcMessagingTest, AnIdSeenBeforeIsNotPublishedAgain) {
  auto alice = ConnectAs("alice");
  alice->Send(AsFrame(Broadcast("once", "", "same")));
  const v1::Ack first = alice->NextAck();
  alice->Send(AsFrame(Broadcast("once", "", "same")));
  const v1::Ack second = alice->NextAck();
  EXPECT_FALSE(first.duplicate());
  EXPECT_TRUE(second.duplicate());
  EXPECT_EQ(second.offset(), first.offset());
  alice->Send(AsFrame(Broadcast("next")));
  EXPECT_EQ(alice->NextMessage().body(), "once");
  EXPECT_EQ(alice->NextMessage().body(), "next");
}

TEST_F(GrpcMessagingTest, OneSendersOrderIsEverybodysOrder) {
  constexpr int kMessages = 500;
  auto alice = ConnectAs("alice");
  auto bob = ConnectAs("bob");
  for (int i = 0; i < kMessages; ++i) alice->Send(AsFrame(Broadcast(std::to_string(i))));
  for (int i = 0; i < kMessages; ++i) {
    const v1::Message message = bob->NextMessage();
    ASSERT_EQ(message.body(), std::to_string(i));
    ASSERT_EQ(message.offset(), static_cast<uint64_t>(i + 1));
  }
}

class GrpcOrderTest : public GrpcTest {
 protected:
  GrpcOrderTest() {
    engine_options_.topic_log.bytes = 64 << 20;  // everything is kept, to be looked at
    StartServer();
  }
};

// Frames so many and so large that they come cut into pieces of any size, and flow control holds
// the senders back all the time.
TEST_F(GrpcOrderTest, NoFrameOvertakesAnother) {
  constexpr uint64_t kMessages = 5000;
  constexpr int kSenders = 4;
  const std::string padding(2048, ' ');
  std::vector<std::thread> senders;
  for (int s = 0; s < kSenders; ++s) {
    const std::string user = "sender" + std::to_string(s);
    senders.emplace_back([&padding, user, stream = ConnectAs(user)] {
      for (uint64_t i = 1; i <= kMessages; ++i) {
        stream->Send(AsFrame(Broadcast(std::to_string(i) + padding, user)));
      }
      stream->Settle();
    });
  }
  for (std::thread& sender : senders) sender.join();
  GrpcClient client = NewClient();
  for (int s = 0; s < kSenders; ++s) {
    v1::HistoryRequest request;
    request.set_topic("sender" + std::to_string(s));
    uint64_t next = 1;
    while (next <= kMessages) {
      request.set_from(next);
      v1::HistoryResponse page;
      ASSERT_TRUE(client.History(request, &page).ok());
      ASSERT_GT(page.events_size(), 0);
      for (const v1::Event& event : page.events()) {
        ASSERT_EQ(std::stoull(event.message().body()), next);
        ASSERT_EQ(event.message().offset(), next++);
      }
    }
  }
}

TEST_F(GrpcMessagingTest, ABurstLeavesInFewWrites) {
  constexpr size_t kMessages = 2000;
  auto alice = ConnectAs("alice");
  auto bob = ConnectAs("bob");
  for (size_t i = 0; i < kMessages; ++i) alice->Send(AsFrame(Broadcast("x")));
  alice->Settle();
  while (bob->events() < kMessages) ASSERT_TRUE(bob->Next().has_value());
  EXPECT_LT(bob->frames(), kMessages);
}

TEST_F(GrpcMessagingTest, HalfClosedKeepsReceiving) {
  auto alice = ConnectAndFollow("news", "alice");
  ASSERT_TRUE(alice->CloseSending());
  v1::PublishResponse response;
  ASSERT_TRUE(NewClient().Publish(Broadcast("still there", "news"), &response).ok());
  EXPECT_EQ(alice->NextMessage().body(), "still there");
  EXPECT_EQ(sessions(), 1);
}

TEST_F(GrpcMessagingTest, HelloResumesTheEmptyTopic) {
  auto alice = ConnectAs("alice");
  uint64_t epoch = 0;
  for (int i = 1; i <= 5; ++i) {
    alice->Send(AsFrame(Broadcast(std::to_string(i))));
    epoch = alice->NextMessage().epoch();
  }
  auto back = NewClient().Connect("bob");
  back->Send(HelloFrom(At("", epoch, 2)));
  back->NextWelcome();
  for (int i = 3; i <= 5; ++i) EXPECT_EQ(back->NextMessage().body(), std::to_string(i));
}

TEST_F(GrpcMessagingTest, BytesThatAreNoFrameAreRefusedAndTheStreamGoesOn) {
  auto alice = ConnectAs("alice");
  alice->SendBytes("\xff\xff\xff not protobuf");
  const v1::Error error = alice->NextError();
  EXPECT_EQ(error.outcome(), "INVALID_MESSAGE");
  EXPECT_NE(error.message().find("crier.v1.ClientFrame"), std::string::npos);
  alice->SendBytes("");  // a frame with nothing in it
  EXPECT_EQ(alice->NextError().outcome(), "INVALID_MESSAGE");
  alice->Settle();
}

TEST_F(GrpcMessagingTest, RepeatedAbuseEndsTheSession) {
  auto alice = ConnectAs("alice");
  for (uint32_t i = 0; i < engine_options_.max_errors + 10; ++i) {
    if (!alice->SendBytes("\xff\xff\xff")) break;
  }
  const grpc::Status status = alice->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "INVALID_MESSAGE") << status.error_message();
  Eventually("the session is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kInvalidMessage), 1u);
}

TEST_F(GrpcMessagingTest, ManyStreamsOnOneConnectionAreSessionsOfTheirOwn) {
  GrpcClient& client = NewClient();
  std::vector<std::unique_ptr<GrpcStream>> streams;
  for (int i = 0; i < 20; ++i) {
    streams.push_back(client.Connect("user" + std::to_string(i)));
    streams.back()->NextWelcome();
    streams.back()->Send(EmptyHello());
  }
  EXPECT_EQ(sessions(), 20);
  EXPECT_EQ(open_connections(), 1u);
  streams[3]->Send(AsFrame(Broadcast("to all twenty", "", "b")));
  EXPECT_EQ(streams[3]->NextAck().recipients(), 20u);
  for (auto& stream : streams) EXPECT_EQ(stream->NextMessage().body(), "to all twenty");
}

}  // namespace
}  // namespace crier::testing
