// What the engine does with each kind of message, on one shard and on several: every test runs with
// the sessions on one shard, and again with each on its own.
#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class MessagesTest : public EngineTest, public testing::WithParamInterface<size_t> {
 protected:
  MessagesTest() { options.shards = GetParam(); }
  size_t Shard(size_t n) const { return n % options.shards; }
};
INSTANTIATE_TEST_SUITE_P(Shards, MessagesTest, testing::Values(1, 2, 3));

TEST_P(MessagesTest, ABroadcastReachesEveryoneItsSenderIncluded) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  auto carol = Join("carol", Shard(2));
  alice->Broadcast("one");
  bob->Broadcast("two");
  for (auto* client : {alice.get(), bob.get(), carol.get()}) {
    EXPECT_THAT(client->Story(), ElementsAre("one", "two"));
    ExpectSettled(client->session().PositionIn(""));
  }
}

TEST_P(MessagesTest, ABroadcastIsStamped) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  alice->Broadcast("hello");
  const auto events = bob->Events();
  ASSERT_EQ(events.size(), 1u);
  const v1::Message& message = events[0].message();
  EXPECT_EQ(message.user_id(), "alice");
  EXPECT_EQ(message.action_type(), v1::BROADCAST);
  EXPECT_EQ(message.offset(), 1u);
  EXPECT_GT(message.epoch(), 0u);
  EXPECT_EQ(message.received_at(), clock.WallNanos());
  EXPECT_FALSE(message.has_data());
}

TEST_P(MessagesTest, ATopicReachesThoseWhoFollowIt) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  auto carol = Join("carol", Shard(2), TextLineEncoding());
  bob->Subscribe("news");
  carol->Subscribe("news");
  alice->Broadcast("first", "news");
  carol->Unsubscribe("news");
  alice->Broadcast("second", "news");
  EXPECT_THAT(alice->Story(), IsEmpty());
  EXPECT_THAT(bob->Story(), ElementsAre("first", "second"));
  EXPECT_THAT(carol->Story(), ElementsAre("first"));
}

TEST_P(MessagesTest, EverySessionSeesATopicInTheOrderOfItsOffsets) {
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (size_t i = 0; i < 6; ++i) {
    clients.push_back(Join("user", Shard(i), i % 2 ? TextLineEncoding() : CanonicalEncoding()));
    clients.back()->Subscribe("t");
  }
  for (int i = 0; i < 200; ++i) {
    clients[static_cast<size_t>(i) % clients.size()]->Broadcast(std::to_string(i), "t");
  }
  for (auto& client : clients) {
    uint64_t expected = 1;
    for (const v1::Event& event : client->Events()) {
      EXPECT_EQ(event.message().offset(), expected++);
    }
    EXPECT_EQ(expected, 201u);
    ExpectSettled(client->session().PositionIn("t"));
  }
}

TEST_P(MessagesTest, ADirectWithoutAddresseeComesBack) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  alice->Direct("", "echo");
  const auto events = alice->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].message().body(), "echo");
  EXPECT_EQ(events[0].message().received_at(), clock.WallNanos());
  EXPECT_EQ(events[0].message().offset(), 0u);
  EXPECT_THAT(bob->Story(), IsEmpty());
}

TEST_P(MessagesTest, ADirectReachesEverySessionOfItsUser) {
  auto alice = Join("alice", Shard(0));
  auto phone = Join("bob", Shard(1));
  auto laptop = Join("bob", Shard(2), TextLineEncoding());
  alice->Direct("bob", "psst");
  EXPECT_THAT(phone->Story(), ElementsAre("psst"));
  EXPECT_THAT(laptop->Story(), ElementsAre("psst"));
  EXPECT_THAT(alice->Events(), IsEmpty());
}

TEST_P(MessagesTest, ADirectToNobodyIsTold) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  bob->Leave();
  alice->Direct("bob", "psst", "m1");
  const auto events = alice->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].error().outcome(), "NO_RECIPIENT");
  EXPECT_EQ(events[0].error().id(), "m1");
  EXPECT_THAT(events[0].error().message(), testing::HasSubstr("bob"));
}

TEST_P(MessagesTest, TheUserIsTheFirstThatASessionNames) {
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.adopt_user_id = true;
  FakeClient nameless(&engine(), Shard(1), session);
  auto alice = Join("alice", Shard(0));
  v1::ClientFrame frame;
  frame.mutable_publish()->set_action_type(v1::PING);
  frame.mutable_publish()->set_user_id("bob");
  nameless.Send(frame);
  nameless.Events();
  alice->Direct("bob", "found you");
  EXPECT_THAT(nameless.Story(), ElementsAre("found you"));
}

TEST_P(MessagesTest, AnyFrameMayNameTheUser) {
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.adopt_user_id = true;
  FakeClient nameless(&engine(), Shard(1), session);
  auto alice = Join("alice", Shard(0));
  v1::ClientFrame frame;
  frame.mutable_subscribe()->set_topic("t");
  frame.set_user_id(std::string(256, 'u'));
  nameless.Send(frame);
  EXPECT_EQ(nameless.Events().at(0).error().outcome(), "INVALID_MESSAGE");
  frame.set_user_id("bob");
  nameless.Send(frame);
  frame.set_user_id("another");  // too late
  nameless.Send(frame);
  alice->Direct("bob", "found you");
  EXPECT_THAT(nameless.Story(), ElementsAre("found you"));
  EXPECT_EQ(nameless.session().user_id(), "bob");
}

TEST_P(MessagesTest, AnAckNamesTopicEpochAndOffset) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  bob->Subscribe("news", "s1");
  alice->Broadcast("a", "news");
  alice->Broadcast("b", "news", "m1");
  const auto acks = alice->Events();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].ack().id(), "m1");
  EXPECT_EQ(acks[0].ack().topic(), "news");
  EXPECT_EQ(acks[0].ack().offset(), 2u);
  EXPECT_EQ(acks[0].ack().recipients(), 1u);
  const auto seen = bob->Events();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].ack().id(), "s1");
  EXPECT_EQ(seen[0].ack().offset(), 0u);
  EXPECT_EQ(seen[2].message().epoch(), acks[0].ack().epoch());
}

TEST_P(MessagesTest, AnIdIsPublishedOnceWithinFiveMinutes) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  alice->Broadcast("a", "", "m1");
  alice->Broadcast("again", "", "m1");
  bob->Broadcast("of another user", "", "m1");
  EXPECT_THAT(bob->Story(), ElementsAre("a", "of another user"));
  std::vector<std::pair<uint64_t, bool>> acks;
  for (const auto& event : alice->Events()) {
    if (event.has_ack()) acks.emplace_back(event.ack().offset(), event.ack().duplicate());
  }
  EXPECT_THAT(acks, ElementsAre(std::pair(1u, false), std::pair(1u, true)));
  Pass(std::chrono::minutes(5) + std::chrono::seconds(1));
  alice->Broadcast("later", "", "m1");
  EXPECT_THAT(bob->Story(), ElementsAre("later"));
}

TEST_P(MessagesTest, ADirectWithAnIdIsDeliveredOnce) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  for (int i = 0; i < 2; ++i) {
    alice->Direct("bob", "once", "d1");
    alice->Direct("", "to myself", "d2");
  }
  EXPECT_THAT(bob->Story(), ElementsAre("once"));
  EXPECT_THAT(alice->Story(), ElementsAre("to myself"));
}

TEST_P(MessagesTest, PingAndPongAreAnsweredAtOnce) {
  auto alice = Join("alice", Shard(1));
  for (const auto action : {v1::PING, v1::PONG}) {
    v1::ClientFrame frame;
    frame.mutable_publish()->set_action_type(action);
    frame.mutable_publish()->set_id("p");
    alice->Send(frame);
    const auto events = alice->Events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].message().action_type(), action);
    EXPECT_EQ(events[0].message().data(), action == v1::PING ? "pong" : "ping");
  }
  v1::ClientFrame frame;
  frame.mutable_ping()->set_id("q");
  alice->Send(frame);
  EXPECT_EQ(alice->Events().at(0).pong().id(), "q");
}

TEST_P(MessagesTest, PresenceCountsSessionsAndNamesUsers) {
  auto alice = Join("alice", Shard(0));
  auto phone = Join("bob", Shard(1), TextLineEncoding());
  auto laptop = Join("bob", Shard(2));
  auto nameless = Join("", Shard(1));
  for (auto* client : {phone.get(), laptop.get(), nameless.get()}) client->Subscribe("room");
  v1::ClientFrame frame;
  frame.mutable_presence()->set_topic("room");
  frame.mutable_presence()->set_id("q1");
  alice->Send(frame);
  const auto events = alice->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].presence().id(), "q1");
  EXPECT_EQ(events[0].presence().sessions(), 3u);
  EXPECT_THAT(events[0].presence().users(), UnorderedElementsAre("bob"));
}

TEST_P(MessagesTest, AWelcomeComesFirstAndNamesTheEmptyTopicsHead) {
  auto alice = Join("alice", Shard(0));
  alice->Broadcast("before");
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.welcome = true;
  session.user_id = User("bob");
  FakeClient bob(&engine(), Shard(1), session);
  const auto events = bob.Events();
  ASSERT_EQ(events.size(), 1u);
  const v1::Welcome& welcome = events[0].welcome();
  EXPECT_EQ(welcome.user_id(), "bob");
  EXPECT_EQ(welcome.server(), options.server_name);
  EXPECT_EQ(welcome.offset(), 1u);
  EXPECT_EQ(welcome.epoch(), alice->Events().at(0).message().epoch());
  EXPECT_EQ(welcome.limits().max_body_bytes(), options.max_body_bytes);
}

TEST_P(MessagesTest, PublishingWithoutASessionSaysHowManyItWasFor) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  v1::Message message;
  message.set_action_type(v1::BROADCAST);
  message.set_body("from outside");
  PublishResult result;
  engine().Publish(engine().shard(0), message, [&](const PublishResult& r) { result = r; });
  engine().RunUntilIdle();
  EXPECT_EQ(result.outcome, Outcome::kOk);
  EXPECT_EQ(result.offset, 1u);
  EXPECT_EQ(result.recipients, 2u);
  EXPECT_THAT(bob->Story(), ElementsAre("from outside"));
}

TEST_P(MessagesTest, HistoryReadsWhatIsKept) {
  auto alice = Join("alice", Shard(0));
  for (int i = 1; i <= 5; ++i) alice->Broadcast(std::to_string(i), "t");
  HistoryRange range;
  engine().History(engine().shard(0), "t", 2, 3, [&](HistoryRange r) { range = std::move(r); });
  engine().RunUntilIdle();
  std::string events;
  for (const HistoryRange::Run& run : range.events) events += run.bytes;
  EXPECT_EQ(events.size(), range.bytes());
  v1::ServerFrame frame;
  ASSERT_TRUE(frame.ParseFromString(events));
  ASSERT_EQ(frame.events_size(), 3);
  EXPECT_EQ(frame.events(0).message().body(), "2");
  EXPECT_EQ(frame.events(2).message().body(), "4");
  EXPECT_EQ(range.tail, 1u);
  EXPECT_EQ(range.head, 5u);
}

}  // namespace
}  // namespace crier
