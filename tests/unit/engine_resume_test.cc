// Coming back: every event inside retention once, and a word about the others.
#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ResumeTest : public EngineTest, public testing::WithParamInterface<size_t> {
 protected:
  ResumeTest() {
    options.shards = GetParam();
    options.topic_log.events = 10;
  }
  size_t Shard(size_t n) const { return n % options.shards; }

  void Broadcast(FakeClient& client, int first, int last, std::string_view topic = "t") {
    for (int i = first; i <= last; ++i) client.Broadcast(std::to_string(i), topic);
  }
  uint64_t EpochOf(std::string_view topic) {
    uint64_t epoch = 0;
    engine().History(engine().shard(0), std::string(topic), 0, 1,
                     [&](const HistoryRange& range) { epoch = range.epoch; });
    engine().RunUntilIdle();
    return epoch;
  }
  std::unique_ptr<FakeClient> JoinWithHello(v1::Hello hello, const Encoding& encoding) {
    SessionOptions session;
    session.encoding = &encoding;
    session.expect_hello = true;
    auto client = std::make_unique<FakeClient>(&engine(), Shard(1), session);
    v1::ClientFrame frame;
    *frame.mutable_hello() = std::move(hello);
    client->Send(frame);
    return client;
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, ResumeTest, testing::Values(1, 2));

TEST_P(ResumeTest, GoesOnAfterTheLastEventSeenInAnyEncoding) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 8);
  const uint64_t epoch = EpochOf("t");
  for (const Encoding* encoding : {&CanonicalEncoding(), &TextLineEncoding()}) {
    auto bob = Join("bob", Shard(1), *encoding);
    bob->SubscribeFrom("t", epoch, 5);
    EXPECT_THAT(bob->Story(), ElementsAre("6", "7", "8")) << encoding->name();
    ExpectSettled(bob->session().PositionIn("t"));
  }
  Broadcast(*alice, 9, 9);
}

TEST_P(ResumeTest, ReachesBehindTheBeginningOfAnEncodingThatOthersFollow) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 5);
  auto other = Join("other", Shard(0), TextLineEncoding());
  auto another = Join("another", Shard(1), TextLineEncoding());
  other->Subscribe("t");
  another->Subscribe("t");
  Broadcast(*alice, 6, 7);
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  bob->SubscribeFrom("t", EpochOf("t"), 2);
  Broadcast(*alice, 8, 8);
  EXPECT_THAT(bob->Story(), ElementsAre("3", "4", "5", "6", "7", "8"));
  EXPECT_THAT(other->Story(), ElementsAre("6", "7", "8"));
  EXPECT_THAT(another->Story(), ElementsAre("6", "7", "8"));
}

TEST_P(ResumeTest, NamesWhatIsNoLongerKept) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 25);
  const uint64_t epoch = EpochOf("t");
  for (const Encoding* encoding : {&CanonicalEncoding(), &TextLineEncoding()}) {
    auto bob = Join("bob", Shard(1), *encoding);
    bob->SubscribeFrom("t", epoch, 5);
    const auto events = bob->Events();
    ASSERT_EQ(events.size(), 11u);
    EXPECT_EQ(events[0].gap().first(), 6u);
    EXPECT_EQ(events[0].gap().last(), 15u);
    EXPECT_EQ(events[0].gap().reason(), v1::EXPIRED);
    EXPECT_EQ(events[1].message().body(), "16");
    const auto account = bob->session().PositionIn("t");
    EXPECT_EQ(account.skipped, 10u);
    ExpectSettled(account);
  }
}

TEST_P(ResumeTest, SaysThatTheEpochIsAnother) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 3);
  auto bob = Join("bob", Shard(1));
  bob->SubscribeFrom("t", EpochOf("t") - 1, 7);
  const auto events = bob->Events();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].gap().reason(), v1::NEW_EPOCH);
  EXPECT_EQ(events[0].gap().epoch(), EpochOf("t"));
  EXPECT_LT(events[0].gap().last(), events[0].gap().first());
  EXPECT_EQ(events[1].message().body(), "1");
}

TEST_P(ResumeTest, FromZeroIsFromTheOldestKept) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 3);
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  bob->SubscribeFrom("t", 0, 0);
  EXPECT_THAT(bob->Story(), ElementsAre("1", "2", "3"));
}

TEST_P(ResumeTest, AnOffsetFromTheFutureIsTheHead) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 3);
  auto bob = Join("bob", Shard(1));
  bob->SubscribeFrom("t", EpochOf("t"), 1000);
  Broadcast(*alice, 4, 4);
  EXPECT_THAT(bob->Story(), ElementsAre("4"));
}

TEST_P(ResumeTest, HelloMovesTheEmptyTopicBackBeforeAnythingOfItIsSent) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 5, "");
  v1::Hello hello;
  auto* point = hello.add_resume();
  point->set_epoch(EpochOf(""));
  point->set_offset(3);
  auto bob = JoinWithHello(hello, TextLineEncoding());
  Broadcast(*alice, 6, 6, "");
  EXPECT_THAT(bob->Story(), ElementsAre("4", "5", "6"));
}

TEST_P(ResumeTest, WithoutAFirstFrameTheEmptyTopicWaitsForTheHelloTimeout) {
  auto alice = Join("alice", Shard(0));
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.expect_hello = true;
  FakeClient listener(&engine(), Shard(1), session);
  Broadcast(*alice, 1, 2, "");
  EXPECT_THAT(listener.Story(), IsEmpty());
  Pass(options.hello_timeout - 2 * kTickInterval);
  EXPECT_THAT(listener.Story(), IsEmpty());
  Pass(4 * kTickInterval);
  EXPECT_THAT(listener.Story(), ElementsAre("1", "2"));
}

TEST_P(ResumeTest, AnyFirstFrameLetsTheEmptyTopicGo) {
  auto alice = Join("alice", Shard(0));
  SessionOptions session;
  session.encoding = &TextLineEncoding();
  session.expect_hello = true;
  FakeClient listener(&engine(), Shard(1), session);
  Broadcast(*alice, 1, 2, "");
  listener.Subscribe("t");
  EXPECT_THAT(listener.Story(), ElementsAre("1", "2"));
}

TEST_P(ResumeTest, AHelloThatComesLateMovesTheEmptyTopicAllTheSame) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 3, "");
  SessionOptions session;
  session.encoding = &TextLineEncoding();
  session.expect_hello = true;
  FakeClient far_away(&engine(), Shard(1), session);
  Broadcast(*alice, 4, 4, "");
  Pass(std::chrono::seconds(5));
  v1::ClientFrame frame;
  auto* point = frame.mutable_hello()->add_resume();
  point->set_epoch(EpochOf(""));
  point->set_offset(2);
  far_away.Send(frame);
  EXPECT_THAT(far_away.Story(), ElementsAre("3", "4"));
}

TEST_P(ResumeTest, AResumePointMovesACursorThatFollowsAlready) {
  auto alice = Join("alice", Shard(0));
  for (const Encoding* encoding : {&CanonicalEncoding(), &TextLineEncoding()}) {
    auto bob = Join("bob", Shard(1), *encoding);
    bob->Subscribe("t");
    Broadcast(*alice, 1, 3);
    EXPECT_THAT(bob->Story(), ElementsAre("1", "2", "3"));
    bob->SubscribeFrom("t", EpochOf("t"), bob->session().PositionIn("t").head - 2);
    EXPECT_THAT(bob->Story(), ElementsAre("2", "3")) << encoding->name();
    ExpectSettled(bob->session().PositionIn("t"));
  }
}

TEST_P(ResumeTest, TheEmptyTopicIsResumedBySubscribingToIt) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 4, "");
  auto plain = Join("plain", Shard(1), TextLineEncoding());
  plain->SubscribeFrom("", EpochOf(""), 1);
  EXPECT_THAT(plain->Story(), ElementsAre("2", "3", "4"));
  Broadcast(*alice, 5, 5, "");
  EXPECT_THAT(plain->Story(), ElementsAre("5"));
  ExpectSettled(plain->session().PositionIn(""));
}

TEST_P(ResumeTest, ReadsALongPastInSlicesWhileTheTopicGoesOn) {
  options.topic_log.events = 10'000;
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 2000);
  const uint64_t epoch = EpochOf("t");
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  bob->StopReading();
  bob->SubscribeFrom("t", epoch, 0);
  Broadcast(*alice, 2001, 2100);
  bob->ReadFreely();
  std::vector<std::string> expected;
  for (int i = 1; i <= 2100; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(bob->Story(), expected);
  ExpectSettled(bob->session().PositionIn("t"));
}

TEST_P(ResumeTest, IsToldWhatWentWhileItReadSlices) {
  options.topic_log.events = 500;
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 500);
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  bob->StopReading();
  bob->SubscribeFrom("t", EpochOf("t"), 0);
  Broadcast(*alice, 501, 2000);
  bob->ReadFreely();
  Broadcast(*alice, 2001, 2001);
  // Every offset once: as an event, or in a gap.
  uint64_t last = 0;
  for (const v1::Event& event : bob->Events()) {
    if (event.has_gap()) {
      EXPECT_EQ(event.gap().first(), last + 1);
      last = event.gap().last();
    } else {
      EXPECT_EQ(event.message().offset(), last + 1);
      last = event.message().offset();
    }
  }
  EXPECT_EQ(last, 2001u);
  ExpectSettled(bob->session().PositionIn("t"));
}

TEST_P(ResumeTest, FromTheHeadAsksForNothingWhateverTheEpoch) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 5);
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  bob->SubscribeFrom("t", 0, 5);
  Broadcast(*alice, 6, 6);
  EXPECT_THAT(bob->Story(), ElementsAre("6"));
}

TEST_P(ResumeTest, ATopicThatCameBackIsNotTakenForTheOneItWas) {
  options.topic_log.age = std::chrono::seconds(1);
  auto alice = Join("alice", Shard(0));
  auto early = Join("early", Shard(1));
  early->Subscribe("t", "s1");  // nothing was published yet
  const uint64_t epoch = early->Events().at(0).ack().epoch();
  early->Unsubscribe("t");
  Broadcast(*alice, 1, 3);
  Pass(std::chrono::minutes(12));  // forgotten
  Broadcast(*alice, 4, 4);
  early->SubscribeFrom("t", epoch, 0);
  const auto events = early->Events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].gap().reason(), v1::NEW_EPOCH);
  EXPECT_EQ(events[1].message().body(), "4");
}

TEST_P(ResumeTest, HelloResumesNamedTopicsToo) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 5);
  v1::Hello hello;
  auto* point = hello.add_resume();
  point->set_topic("t");
  point->set_epoch(EpochOf("t"));
  point->set_offset(4);
  auto bob = JoinWithHello(hello, CanonicalEncoding());
  EXPECT_THAT(bob->Story(), ElementsAre("5"));
}

TEST_P(ResumeTest, CountsHowResumesWereAnswered) {
  auto alice = Join("alice", Shard(0));
  Broadcast(*alice, 1, 25);
  const uint64_t epoch = EpochOf("t");
  auto bob = Join("bob", Shard(1));
  bob->SubscribeFrom("t", epoch, 20);
  auto carol = Join("carol", Shard(1));
  carol->SubscribeFrom("t", epoch, 1);
  auto dave = Join("dave", Shard(1));
  dave->SubscribeFrom("t", epoch + 1, 1);
  for (const auto& counter : metrics(Shard(1)).resumes) EXPECT_EQ(counter.value(), 1u);
}

}  // namespace
}  // namespace crier
