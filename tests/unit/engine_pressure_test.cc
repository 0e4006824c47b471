// Input follows output: who publishes faster than others can follow is not read from for a while.
// And nobody whom the kernel takes bytes for loses anything to a burst.
#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using testing::SizeIs;

class PressureTest : public EngineTest {
 protected:
  // As a transport hands frames over that it has read in one go: nothing runs in between but a
  // hurried flush. Returns how many were handed over before the engine wanted no more.
  int Burst(FakeClient& client, const v1::ClientFrame& frame, int count) {
    Session& session = client.session();
    int handled = 0;
    for (; handled < count && !client.reading_paused; ++handled) {
      session.Handle(frame, session.shard().ArrivalNow(), 0);
    }
    return handled;
  }
  static v1::ClientFrame BroadcastOf(size_t bytes, std::string topic = {}) {
    v1::ClientFrame frame;
    frame.mutable_publish()->set_action_type(v1::BROADCAST);
    frame.mutable_publish()->set_topic(std::move(topic));
    frame.mutable_publish()->set_body(std::string(bytes, 'x'));
    return frame;
  }
  // A topic whose home is this shard.
  std::string TopicAt(size_t shard) {
    for (int i = 0;; ++i) {
      std::string topic = "topic " + std::to_string(i);
      if (engine().HomeIndexOf(topic) == shard) return topic;
    }
  }
};

TEST_F(PressureTest, APublisherIsHeldWhileAnotherShardCannotFollow) {
  options.shards = 2;
  auto alice = Join("alice", 0);
  const int sent = Burst(*alice, BroadcastOf(1000, TopicAt(1)), 100'000);
  EXPECT_LT(sent, 1000);
  EXPECT_LE(Memory(MemoryKind::kMail), 2 * static_cast<int64_t>(PostOffice::kCredit));
  engine().RunUntilIdle();
  EXPECT_FALSE(alice->reading_paused);
  EXPECT_EQ(Memory(MemoryKind::kMail), 0);
}

TEST_F(PressureTest, OthersOfTheSameShardGoOn) {
  options.shards = 2;
  auto alice = Join("alice", 0);
  auto bob = Join("bob", 0);
  Burst(*alice, BroadcastOf(1000, TopicAt(1)), 100'000);
  EXPECT_TRUE(alice->reading_paused);
  EXPECT_FALSE(bob->reading_paused);
  EXPECT_EQ(Burst(*bob, BroadcastOf(10, TopicAt(0)), 1000), 1000);
}

TEST_F(PressureTest, NobodyWhoReadsIsOverrunByOneBurst) {
  options.topic_log.events = 1000;
  auto alice = Join("alice");
  auto bob = Join("bob", 0, TextLineEncoding());
  // Many sockets' worth of input, several logs long, between two flushes.
  for (int socket = 0; socket < 15; ++socket) {
    Burst(*alice, BroadcastOf(50), 280);
    engine().shard(0).FlushIfHurried();
  }
  engine().RunUntilIdle();
  EXPECT_THAT(bob->Story(), SizeIs(15 * 280));
  EXPECT_EQ(bob->session().PositionIn("").skipped, 0u);
  EXPECT_EQ(alice->session().PositionIn("").skipped, 0u);
}

TEST_F(PressureTest, AMailboxIsNotOverrunByOneBurst) {
  auto alice = Join("alice");
  auto bob = Join("bob");
  v1::ClientFrame frame;
  frame.mutable_publish()->set_action_type(v1::DIRECT);
  frame.mutable_publish()->set_to("bob");
  frame.mutable_publish()->set_body(std::string(1000, 'x'));
  for (int socket = 0; socket < 60; ++socket) {
    Burst(*alice, frame, 16);
    engine().shard(0).FlushIfHurried();
  }
  engine().RunUntilIdle();
  EXPECT_THAT(bob->Story(), SizeIs(60 * 16));
}

TEST_F(PressureTest, AFollowerOnAnotherShardIsNotOverrun) {
  options.shards = 2;
  options.topic_log.events = 1000;
  auto alice = Join("alice", 0);
  auto bob = Join("bob", 1);
  const std::string topic = TopicAt(0);
  bob->Subscribe(topic);
  int sent = 0;
  for (int round = 0; round < 100; ++round) {
    sent += Burst(*alice, BroadcastOf(50, topic), 200);
    engine().shard(0).FlushIfHurried();
    engine().shard(0).Poll();
    // The other shard has other things to do for a while.
    if (alice->reading_paused) engine().RunUntilIdle();
  }
  engine().RunUntilIdle();
  EXPECT_FALSE(alice->reading_paused);
  EXPECT_THAT(bob->Story(), SizeIs(static_cast<size_t>(sent)));
  EXPECT_EQ(bob->session().PositionIn(topic).skipped, 0u);
}

TEST_F(PressureTest, AClosingSessionIsWaitedForByNoBroadcast) {
  auto alice = Join("alice");
  auto bob = Join("bob");
  bob->session().RequestClose(Outcome::kDisconnectedByAdmin, {});
  alice->Broadcast("x");
  const Histogram& seconds = metrics().ws_broadcast_seconds;
  uint64_t observed = 0;
  for (size_t i = 0; i <= Histogram::kBounds.size(); ++i) observed += seconds.bucket(i);
  EXPECT_EQ(observed, 1u);
}

}  // namespace
}  // namespace crier
