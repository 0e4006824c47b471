// A session that does not read: its cursor lags, and a gap names exactly what it missed.
#include <functional>

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
  EXPECT_EQ(slow->session().PositionIn("").skipped, 0u);
  ExpectSettled(slow->session().PositionIn(""));
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
  const auto account = slow->session().PositionIn("");
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
  EXPECT_LE(Memory(MemoryKind::kLogs), 64 << 10);  // one log, whoever lags
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
      const auto account = slow->session().PositionIn(topic);
      ASSERT_EQ(account.delivered + account.skipped, account.next - 1 - account.start);
    }
  }
  slow->ReadFreely();
  // The received events and those named by gaps are together all that were sent, in order.
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
  ExpectSettled(slow->session().PositionIn(""));
  ExpectSettled(slow->session().PositionIn("t"));
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
  const auto account = slow->session().MailboxPosition();
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

// A session that does not read the answers to what it sends: it is not read from either.
class UnreadAnswersTest : public SlowConsumerTest {
 protected:
  UnreadAnswersTest() { options.mailbox.bytes = 8192; }

  static v1::ClientFrame Ping(int id) {
    v1::ClientFrame frame;
    frame.mutable_ping()->set_id(std::to_string(id));
    return frame;
  }
  static v1::ClientFrame WhoIsHere(int id) {
    v1::ClientFrame frame;
    frame.mutable_presence()->set_topic("somewhere");
    frame.mutable_presence()->set_id(std::to_string(id));
    return frame;
  }
  static v1::ClientFrame Unfollow(int id) {
    v1::ClientFrame frame;
    frame.mutable_unsubscribe()->set_topic("somewhere");
    frame.mutable_unsubscribe()->set_id(std::to_string(id));
    return frame;
  }
  static v1::ClientFrame Direct(std::string_view to, int id) {
    v1::ClientFrame frame;
    frame.mutable_publish()->set_action_type(v1::DIRECT);
    frame.mutable_publish()->set_to(std::string(to));
    frame.mutable_publish()->set_id(std::to_string(id));
    frame.mutable_publish()->set_body("message " + std::to_string(id));
    return frame;
  }
  static std::string IdOf(const v1::Event& event) {
    switch (event.event_case()) {
      case v1::Event::kAck:
        return event.ack().id();
      case v1::Event::kPong:
        return event.pong().id();
      case v1::Event::kPresence:
        return event.presence().id();
      case v1::Event::kError:
        return event.error().id();
      default:
        return "";
    }
  }

  // Reads a little at a time, to the end. What was received meanwhile.
  static std::vector<v1::Event> ReadSlowly(FakeClient* client) {
    while (client->session().has_pending() || client->unread() > 0) client->ReadBytes(100);
    client->ReadFreely();
    return client->Events();
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, UnreadAnswersTest, testing::Values(1, 2));

TEST_P(UnreadAnswersTest, OfAnyKindHoldItsReadingAndNoneIsLost) {
  constexpr int kFrames = 500;
  options.max_errors = kFrames + 1;
  auto bob = Join("bob", Shard(1));
  const std::function<v1::ClientFrame(int)> kinds[] = {
      Ping,
      WhoIsHere,
      Unfollow,
      [](int id) { return Direct("", id); },
      [](int id) { return Direct("bob", id); },
      [](int id) { return Direct("nobody", id); },
      [](int id) { return Direct(std::string(300, 'x'), id); },
  };
  for (const auto& frame_of : kinds) {
    SCOPED_TRACE(frame_of(1).ShortDebugString());
    // Of users of their own, so that no id was seen before.
    auto alice = Join("alice " + std::to_string(++sent_), Shard(0));
    alice->StopReading();
    for (int id = 1; id <= kFrames; ++id) alice->Send(frame_of(id));
    EXPECT_TRUE(alice->reading_paused);
    EXPECT_GT(alice->unread(), 0u);
    std::vector<std::string> answered;
    for (const v1::Event& event : ReadSlowly(alice.get())) {
      ASSERT_FALSE(event.has_gap()) << event.ShortDebugString();
      if (const std::string id = IdOf(event); !id.empty()) answered.push_back(id);
    }
    EXPECT_FALSE(alice->reading_paused);
    ASSERT_THAT(answered, SizeIs(kFrames));
    for (int id = 1; id <= kFrames; ++id) {
      ASSERT_EQ(answered[static_cast<size_t>(id) - 1], std::to_string(id));
    }
    EXPECT_EQ(alice->session().MailboxPosition().skipped, 0u);
    ExpectSettled(alice->session().MailboxPosition());
  }
  EXPECT_EQ(bob->session().MailboxPosition().head, uint64_t{kFrames});
}

TEST_P(UnreadAnswersTest, HoldItFromHalfTheMailboxToAQuarter) {
  options.mailbox.events = 100;
  auto alice = Join("alice", Shard(0), TextLineEncoding());
  alice->StopReading();
  int sent = 0;
  while (sent < 50) alice->Send(Ping(++sent));
  EXPECT_FALSE(alice->reading_paused);
  alice->Send(Ping(++sent));
  EXPECT_TRUE(alice->reading_paused);
  const auto left = [&] {
    const auto account = alice->session().MailboxPosition();
    return account.head + 1 - account.next;
  };
  while (left() > 26) {
    alice->ReadBytes(10);
    ASSERT_TRUE(alice->reading_paused) << left();
  }
  while (left() > 25) alice->ReadBytes(10);
  EXPECT_FALSE(alice->reading_paused);
}

TEST_P(UnreadAnswersTest, AreNotWhatOthersSend) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  bob->StopReading();
  for (int i = 0; i < 1000; ++i) {
    alice->Direct("bob", "message");
    if (i % 100 == 0) bob->Send(Ping(i));
    ASSERT_FALSE(bob->reading_paused) << i;
  }
  EXPECT_GT(bob->session().MailboxPosition().head, 1000u) << "its answers are among them";
}

TEST_P(UnreadAnswersTest, DoNotHoldItLongerWhereOthersSendMore) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  bob->StopReading();
  for (int i = 0; i < 1000; ++i) bob->Send(Ping(i));
  ASSERT_TRUE(bob->reading_paused);
  // More comes than it reads, so its mailbox is never empty.
  const auto account = [&] { return bob->session().MailboxPosition(); };
  const uint64_t delivered = account().delivered;
  const uint64_t answers = account().head;
  const size_t waiting = bob->unread();
  while (bob->unread() == waiting) {
    for (int i = 0; i < 10; ++i) alice->Direct("bob", "message");
    bob->ReadBytes(64);
    ASSERT_LE(account().delivered - delivered, answers / 2);
  }
}

TEST_P(UnreadAnswersTest, AreNoReasonOnceTheyCannotBeSent) {
  auto alice = Join("alice", Shard(0));
  alice->StopReading();
  for (int i = 0; i < 1000; ++i) alice->Send(Ping(i));
  ASSERT_TRUE(alice->reading_paused);
  alice->session().SetBroken();
  EXPECT_FALSE(alice->reading_paused);
  engine().RunUntilIdle();
  EXPECT_EQ(alice->unread(), 0u);
}

TEST_P(UnreadAnswersTest, AreOneReasonOfSeveral) {
  auto alice = Join("alice", Shard(0));
  alice->StopReading();
  for (int i = 0; i < 1000; ++i) alice->Send(Ping(i));
  EXPECT_TRUE(alice->reading_paused);
  alice->session().HoldReading();
  alice->session().HoldReading();
  alice->ReadFreely();
  EXPECT_TRUE(alice->reading_paused);
  alice->session().ReleaseReading();
  EXPECT_TRUE(alice->reading_paused);
  alice->session().ReleaseReading();
  EXPECT_FALSE(alice->reading_paused);
}

TEST_P(UnreadAnswersTest, MeanNothingToASessionThatIsClosing) {
  auto alice = Join("alice", Shard(0));
  alice->session().HoldReading();
  alice->session().RequestClose(Outcome::kShutdown, {});
  alice->session().ReleaseReading();
  EXPECT_TRUE(alice->reading_paused) << "what a transport does at its end is its own affair";
  auto bob = Join("bob", Shard(1));
  bob->session().RequestClose(Outcome::kShutdown, {});
  bob->session().HoldReading();
  EXPECT_FALSE(bob->reading_paused);
}

}  // namespace
}  // namespace crier
