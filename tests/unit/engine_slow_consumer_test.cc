// A session that does not read: a cursor that lags, and an exact word about what it missed.
#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class SlowConsumerTest : public EngineTest, public testing::WithParamInterface<size_t> {
 protected:
  SlowConsumerTest() {
    options.shards = GetParam();
    options.topic_log.events = 100;
  }
  size_t Shard(size_t n) const { return n % options.shards; }

  void Broadcast(FakeClient& client, int count, std::string_view topic = {}) {
    for (int i = 0; i < count; ++i) client.Broadcast(std::to_string(++sent_), topic);
  }
  int sent_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Shards, SlowConsumerTest, testing::Values(1, 2));

TEST_P(SlowConsumerTest, GetsEverythingWhenTheLogStillKeepsIt) {
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1));
  slow->StopReading();
  Broadcast(*alice, 100);
  slow->ReadFreely();
  EXPECT_THAT(slow->Story(), SizeIs(100));
  EXPECT_EQ(slow->session().AccountOf("").skipped, 0u);
  ExpectSettled(slow->session().AccountOf(""));
}

TEST_P(SlowConsumerTest, IsToldExactlyWhatItMissed) {
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1), TextLineEncoding());
  slow->ReadBytes(10);  // the first event is cut in two
  Broadcast(*alice, 250);
  slow->ReadFreely();
  auto story = slow->Story();
  // The event that had begun is finished first.
  ASSERT_THAT(story, SizeIs(102));
  EXPECT_EQ(story[0], "1");
  EXPECT_EQ(story[1], "gap 2-150");
  EXPECT_EQ(story[2], "151");
  EXPECT_EQ(story.back(), "250");
  const auto account = slow->session().AccountOf("");
  EXPECT_EQ(account.skipped, 149u);
  EXPECT_EQ(account.delivered, 101u);
  ExpectSettled(account);
  EXPECT_EQ(metrics(Shard(1)).events_skipped[0].value(), 149u);
}

TEST_P(SlowConsumerTest, TheGapNamesItsTopicEpochAndReason) {
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1));
  slow->Subscribe("t");
  slow->Events();
  slow->StopReading();
  Broadcast(*alice, 101, "t");
  slow->ReadFreely();
  const auto events = slow->Events();
  ASSERT_GE(events.size(), 2u);
  const v1::Gap& gap = events[0].has_gap() ? events[0].gap() : events[1].gap();
  EXPECT_EQ(gap.topic(), "t");
  EXPECT_EQ(gap.epoch(), events.back().message().epoch());
  EXPECT_EQ(gap.reason(), v1::SLOW_CONSUMER);
  EXPECT_FALSE(gap.mailbox());
}

TEST_P(SlowConsumerTest, DisturbsNobody) {
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1));
  auto healthy = Join("healthy", Shard(1));
  slow->StopReading();
  Broadcast(*alice, 1000);
  EXPECT_THAT(healthy->Story(), SizeIs(1000));
  EXPECT_EQ(metrics(Shard(1)).of(TransportKind::kGrpc).sessions_lagging.value(), 1);
  slow->ReadFreely();
  EXPECT_EQ(metrics(Shard(1)).of(TransportKind::kGrpc).sessions_lagging.value(), 0);
}

TEST_P(SlowConsumerTest, CostsNothingPerSession) {
  auto alice = Join("alice", Shard(0));
  std::vector<std::unique_ptr<FakeClient>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(Join("slow", Shard(1)));
    slow.back()->StopReading();
  }
  Broadcast(*alice, 500);
  int64_t bytes = 0;
  for (size_t i = 0; i < options.shards; ++i) bytes += metrics(i).log_bytes.value();
  EXPECT_LE(bytes, 64 << 10);  // one log, whoever lags
}

TEST_P(SlowConsumerTest, AccountsHoldUnderEveryPatternOfReading) {
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1), TextLineEncoding());
  slow->Subscribe("t");
  unsigned random = 12345;
  int topic_events = 0;
  for (int round = 0; round < 300; ++round) {
    random = random * 1103515245u + 12345u;
    slow->ReadBytes((random >> 16) % 3000);
    Broadcast(*alice, static_cast<int>((random >> 8) % 40));
    const int more = static_cast<int>((random >> 20) % 40);
    Broadcast(*alice, more, "t");
    topic_events += more;
    for (const char* topic : {"", "t"}) {
      const auto account = slow->session().AccountOf(topic);
      ASSERT_EQ(account.delivered + account.skipped, account.next - 1 - account.start);
    }
  }
  slow->ReadFreely();
  // What it received and what it was told to miss add up to all that was sent, in order.
  uint64_t next[2] = {1, 1};
  for (const v1::Event& event : slow->Events()) {
    if (event.has_message()) {
      uint64_t& expected = next[event.message().topic() == "t"];
      EXPECT_EQ(event.message().offset(), expected);
      expected = event.message().offset() + 1;
    } else if (event.has_gap()) {
      uint64_t& expected = next[event.gap().topic() == "t"];
      EXPECT_EQ(event.gap().first(), expected);
      expected = event.gap().last() + 1;
    }
  }
  EXPECT_EQ(next[1], static_cast<uint64_t>(topic_events) + 1);
  EXPECT_EQ(next[0] + next[1], static_cast<uint64_t>(sent_) + 2);
  ExpectSettled(slow->session().AccountOf(""));
  ExpectSettled(slow->session().AccountOf("t"));
}

TEST_P(SlowConsumerTest, IsClosedWhereThePolicySaysSo) {
  options.slow_consumer_policy = v1::CLOSE;
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1));
  slow->StopReading();
  Broadcast(*alice, 100);
  Pass(seconds(1));
  EXPECT_EQ(slow->closed, std::nullopt);
  Broadcast(*alice, 2);
  Pass(seconds(1));
  EXPECT_EQ(slow->closed, Outcome::kSlowConsumer);
  EXPECT_FALSE(slow->session().has_pending());
}

TEST_P(SlowConsumerTest, ThePolicyCanBeOneSubscriptions) {
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1));
  v1::ClientFrame frame;
  frame.mutable_subscribe()->set_topic("strict");
  frame.mutable_subscribe()->set_slow_consumer_policy(v1::CLOSE);
  slow->Send(frame);
  slow->StopReading();
  Broadcast(*alice, 200);
  Pass(seconds(1));
  EXPECT_EQ(slow->closed, std::nullopt);
  Broadcast(*alice, 200, "strict");
  Pass(seconds(1));
  EXPECT_EQ(slow->closed, Outcome::kSlowConsumer);
}

TEST_P(SlowConsumerTest, AFullMailboxDropsTheOldestAndSaysSo) {
  options.mailbox.bytes = 4096;
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1));
  slow->StopReading();
  const std::string text(100, 'x');
  for (int i = 0; i < 1000; ++i) alice->Direct("slow", text);
  slow->ReadFreely();
  const auto events = slow->Events();
  // A first event had begun before the kernel was full: it stays whole, then the gap.
  size_t at = events[0].has_gap() ? 0 : 1;
  ASSERT_TRUE(events[at].has_gap());
  const v1::Gap& gap = events[at].gap();
  EXPECT_TRUE(gap.mailbox());
  EXPECT_EQ(gap.first(), at + 1);
  EXPECT_EQ(gap.last() + events.size() - 1 - at, 1000u);
  const auto account = slow->session().MailboxAccount();
  EXPECT_EQ(account.delivered + account.skipped, 1000u);
  ExpectSettled(account);
}

TEST_P(SlowConsumerTest, LeavesWithoutTrace) {
  auto alice = Join("alice", Shard(0));
  auto slow = Join("slow", Shard(1), TextLineEncoding());
  slow->StopReading();
  Broadcast(*alice, 10);
  slow->Leave(Outcome::kConnectionLost);
  Broadcast(*alice, 10);
  EXPECT_THAT(alice->Story(), SizeIs(20));
  const auto& counted = metrics(Shard(1)).of(TransportKind::kWebSocket);
  EXPECT_EQ(counted.sessions.value(), 0);
  EXPECT_EQ(counted.sessions_lagging.value(), 0);
  EXPECT_EQ(counted.ended[static_cast<size_t>(Outcome::kConnectionLost)].value(), 1u);
}

}  // namespace
}  // namespace crier
