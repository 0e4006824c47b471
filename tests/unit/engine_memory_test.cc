// What clients can make the engine keep: counted, bounded, and given back.
#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::SizeIs;

class MemoryTest : public EngineTest, public testing::WithParamInterface<size_t> {
 protected:
  MemoryTest() { options.shards = GetParam(); }
  size_t Shard(size_t n) const { return n % options.shards; }

  int64_t Topics() {
    int64_t topics = 0;
    for (size_t i = 0; i < options.shards; ++i) topics += metrics(i).topics.value();
    return topics;
  }
  uint64_t Kept(std::string topic) {
    uint64_t kept = 0;
    EXPECT_FALSE(engine().History(engine().shard(0), std::move(topic), 0, 1000,
                                  [&](const HistoryRange& r) { kept = r.head + 1 - r.tail; }));
    engine().RunUntilIdle();
    return kept;
  }
  std::vector<std::string> ErrorsOf(FakeClient& client) {
    std::vector<std::string> errors;
    for (const v1::Event& event : client.Events()) {
      if (event.has_error()) errors.push_back(event.error().outcome());
    }
    return errors;
  }
  int64_t All() {
    int64_t bytes = 0;
    for (size_t kind = 0; kind < kMemoryKindCount; ++kind) {
      bytes += Memory(static_cast<MemoryKind>(kind));
    }
    return bytes;
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, MemoryTest, testing::Values(1, 2));

TEST_P(MemoryTest, AnUnfollowedTopicWithOneMessageTakesAtMost800Bytes) {
  auto alice = Join("alice", Shard(0));
  const int64_t before = All();
  constexpr int kCount = 1000;
  for (int i = 0; i < kCount; ++i) {
    alice->Broadcast(std::string(64, 'x'), "room number " + std::to_string(i));
  }
  EXPECT_LE((All() - before) / kCount, 800);
  EXPECT_EQ(Topics(), kCount + 1);
}

TEST_P(MemoryTest, TheLeastRecentlyUsedUnfollowedTopicsGiveWayFirst) {
  options.memory_budget = 1 << 20;
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  bob->Subscribe("followed");
  alice->Broadcast("kept", "followed");
  for (int i = 0; i < 20'000; ++i) alice->Broadcast(std::string(64, 'x'), std::to_string(i));
  EXPECT_LE(All(), 1 << 20);
  EXPECT_GE(Memory(MemoryKind::kLogs), 1 << 18);
  EXPECT_EQ(Kept("followed"), 1u);
  EXPECT_EQ(Kept("19999"), 1u);
  EXPECT_EQ(Kept("0"), 0u);
  EXPECT_THAT(bob->Story(), ElementsAre("kept"));
}

TEST_P(MemoryTest, ThereAreAtMostSoManyTopics) {
  options.max_topics = 10;
  auto alice = Join("alice", Shard(0));
  for (int i = 0; i < 100; ++i) alice->Broadcast("x", std::to_string(i));
  EXPECT_LE(Topics(), 11);
  // Those that are followed do not give way.
  std::vector<std::unique_ptr<FakeClient>> fans;
  for (int i = 0; i < 30; ++i) {
    fans.push_back(Join("fan", Shard(static_cast<size_t>(i))));
    fans.back()->Subscribe("own " + std::to_string(i), "s");
  }
  EXPECT_LE(Topics(), 20);
  EXPECT_THAT(ErrorsOf(*fans.back()), ElementsAre("OVERLOADED"));
}

TEST_P(MemoryTest, SubscribingToUnusedNamesLeavesNothingBehind) {
  auto alice = Join("alice", Shard(0));
  const int64_t before = All();
  for (int i = 0; i < 1000; ++i) {
    const std::string topic = "never used " + std::to_string(i);
    alice->Subscribe(topic);
    alice->Unsubscribe(topic);
  }
  EXPECT_EQ(All(), before);
  EXPECT_EQ(Topics(), 1);
}

TEST_P(MemoryTest, WhereNothingCanGiveWayPublishesAreRefusedAndSoIsFollowing) {
  options.memory_budget = 1 << 20;
  auto alice = Join("alice", Shard(0));
  std::vector<std::unique_ptr<FakeClient>> sleepers;
  for (int i = 0; i < 20; ++i) {
    sleepers.push_back(Join("sleeper", Shard(static_cast<size_t>(i))));
    sleepers.back()->StopReading();
  }
  // Each is kept twenty times.
  for (int i = 0; i < 100; ++i) alice->Direct("sleeper", std::string(1000, 'x'));
  EXPECT_LE(All(), (1 << 20) + (64 << 10));
  EXPECT_THAT(ErrorsOf(*alice), Contains("OVERLOADED"));
  alice->Broadcast("x", "t", "id1");
  alice->Subscribe("t", "id2");
  EXPECT_THAT(ErrorsOf(*alice), ElementsAre("OVERLOADED", "OVERLOADED"));
  EXPECT_EQ(alice->closed, std::nullopt);
  sleepers.clear();
  alice->Broadcast("x", "t", "id1");
  EXPECT_THAT(ErrorsOf(*alice), SizeIs(0));
}

TEST_P(MemoryTest, WhereNothingCanGiveWayWhoKeepsUpStillGetsAllItsAnswers) {
  options.memory_budget = 1 << 20;
  auto alice = Join("alice", Shard(0));
  std::vector<std::unique_ptr<FakeClient>> sleepers;
  for (int i = 0; i < 20; ++i) {
    sleepers.push_back(Join("sleeper", Shard(static_cast<size_t>(i))));
    sleepers.back()->StopReading();
  }
  for (int i = 0; i < 100; ++i) alice->Direct("sleeper", std::string(1000, 'x'));
  EXPECT_THAT(ErrorsOf(*alice), Contains("OVERLOADED"));
  // In one burst: none has left when the next one is made.
  for (int i = 0; i < 10; ++i) {
    v1::ClientFrame frame;
    frame.mutable_ping()->set_id(std::to_string(i));
    alice->session().Handle(frame, alice->session().shard().ArrivalNow(), 0);
  }
  engine().RunUntilIdle();
  std::vector<std::string> pongs;
  for (const v1::Event& event : alice->Events()) {
    EXPECT_FALSE(event.has_gap());
    if (event.has_pong()) pongs.push_back(event.pong().id());
  }
  EXPECT_THAT(pongs, SizeIs(10));
}

TEST_P(MemoryTest, GapsOfResumesPileUpNoFurtherThanAMailbox) {
  options.mailbox.bytes = 16 << 10;
  options.topic_log.events = 5;
  auto alice = Join("alice", Shard(0));
  for (int i = 0; i < 20; ++i) alice->Broadcast("x", "t");
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  bob->StopReading();
  int sent = 0;
  for (; sent < 10'000 && !bob->reading_paused; ++sent) {
    bob->SubscribeFrom("t", 1, 1);
    bob->Unsubscribe("t");
  }
  EXPECT_LT(sent, 1000);
  EXPECT_LE(Memory(MemoryKind::kMailboxes), 32 << 10);
  bob->ReadFreely();
  EXPECT_FALSE(bob->reading_paused);
}

TEST_P(MemoryTest, OwnAnswersThatAreNotTakenStopTheReading) {
  options.mailbox.bytes = 64 << 10;
  auto alice = Join("alice", Shard(0));
  alice->StopReading();
  int sent = 0;
  for (; sent < 10'000 && !alice->reading_paused; ++sent) {
    alice->Direct("", std::string(100, 'x'), std::to_string(sent));
  }
  EXPECT_LT(sent, 1000);
  alice->ReadFreely();
  EXPECT_FALSE(alice->reading_paused);
  // Each has its message and its ack, and nothing was skipped.
  int messages = 0, acks = 0;
  for (const v1::Event& event : alice->Events()) {
    messages += event.has_message();
    acks += event.has_ack();
    EXPECT_FALSE(event.has_gap());
  }
  EXPECT_EQ(messages, sent);
  EXPECT_EQ(acks, sent);
}

TEST_P(MemoryTest, OthersMessagesDoNotStopTheReading) {
  options.mailbox.bytes = 64 << 10;
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  bob->StopReading();
  for (int i = 0; i < 1000; ++i) alice->Direct("bob", std::string(100, 'x'));
  EXPECT_FALSE(bob->reading_paused);
  EXPECT_FALSE(alice->reading_paused);
}

TEST_P(MemoryTest, EverythingIsGivenBack) {
  Join("nobody", Shard(0));
  const int64_t before = All();
  {
    auto alice = Join("alice", Shard(0));
    auto bob = Join("bob", Shard(1), TextLineEncoding());
    for (int i = 0; i < 100; ++i) {
      bob->Subscribe("t" + std::to_string(i));
      alice->Broadcast("x", "t" + std::to_string(i), std::to_string(i));
    }
    bob->StopReading();
    for (int i = 0; i < 100; ++i) alice->Direct("bob", "x");
  }
  Pass(minutes(20));
  EXPECT_EQ(All(), before);
  EXPECT_EQ(Memory(MemoryKind::kLogs), 0);
  EXPECT_EQ(Topics(), 1);
}

TEST_P(MemoryTest, ExpiryTakesTheTopicsInTurn) {
  options.topic_log.age = seconds(2);
  auto alice = Join("alice", Shard(0));
  for (int i = 0; i < 5000; ++i) alice->Broadcast("x", std::to_string(i));
  Pass(seconds(10));
  EXPECT_EQ(Memory(MemoryKind::kLogs), 0);
  Pass(minutes(11));
  EXPECT_EQ(Topics(), 1);
}

}  // namespace
}  // namespace crier
