// Ids mean what they say: once for each publisher and target, and one answer for every frame.
#include <map>

#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class IdsTest : public EngineTest, public testing::WithParamInterface<size_t> {
 protected:
  IdsTest() { options.shards = GetParam(); }
  size_t Shard(size_t n) const { return n % options.shards; }

  // How many answers of each id came.
  static std::map<std::string, int> Answers(FakeClient& client) {
    std::map<std::string, int> answers;
    for (const v1::Event& event : client.Events()) {
      if (event.has_ack()) ++answers[event.ack().id()];
      if (event.has_error()) ++answers[event.error().id()];
      if (event.has_pong()) ++answers[event.pong().id()];
      if (event.has_presence()) ++answers[event.presence().id()];
    }
    return answers;
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, IdsTest, testing::Values(1, 2, 3));

TEST_P(IdsTest, TheSameIdReachesEachRecipientOnce) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  auto carol = Join("carol", Shard(2));
  for (int i = 0; i < 2; ++i) {
    alice->Direct("bob", "to bob", "id");
    alice->Direct("carol", "to carol", "id");
    alice->Direct("", "to myself", "id");
  }
  EXPECT_THAT(bob->Story(), ElementsAre("to bob"));
  EXPECT_THAT(carol->Story(), ElementsAre("to carol"));
  int duplicates = 0, first = 0, own = 0;
  for (const v1::Event& event : alice->Events()) {
    own += event.has_message();
    if (!event.has_ack()) continue;
    ++(event.ack().duplicate() ? duplicates : first);
  }
  EXPECT_EQ(own, 1);
  EXPECT_EQ(first, 3);
  EXPECT_EQ(duplicates, 3);
}

TEST_P(IdsTest, AMessageToOneselfIsRememberedOnEveryShard) {
  auto alice = Join("alice", Shard(0));
  alice->Direct("", "once", "id");
  alice->Leave();
  auto again = Join("alice", Shard(1));
  again->Direct("", "once", "id");
  const auto events = again->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].ack().duplicate());
}

TEST_P(IdsTest, ARefusedPublishMayBeSentAgainWithItsId) {
  auto alice = Join("alice", Shard(0));
  alice->Direct("bob", "x", "id");
  EXPECT_EQ(alice->Events().at(0).error().outcome(), "NO_RECIPIENT");
  auto bob = Join("bob", Shard(1));
  alice->Direct("bob", "x", "id");
  EXPECT_THAT(bob->Story(), ElementsAre("x"));
}

TEST_P(IdsTest, EveryFrameWithAnIdHasExactlyOneAnswer) {
  auto alice = Join("alice", Shard(0));
  // Without a pause between them: subscriptions are pending while more frames come.
  std::map<std::string, int> expected;
  int number = 0;
  const auto handle = [&](auto fill) {
    v1::ClientFrame frame;
    const std::string id = std::to_string(++number);
    expected[id] = 1;
    fill(&frame, id);
    alice->session().Handle(frame, alice->session().shard().ArrivalNow(), 0);
  };
  for (int i = 0; i < 20; ++i) {
    const std::string topic = "t" + std::to_string(i % 3);
    handle([&](v1::ClientFrame* frame, const std::string& id) {
      frame->mutable_subscribe()->set_topic(topic);
      frame->mutable_subscribe()->set_id(id);
      if (i % 5 == 0) frame->mutable_subscribe()->mutable_resume()->set_offset(1);
    });
    handle([&](v1::ClientFrame* frame, const std::string& id) {
      frame->mutable_publish()->set_action_type(v1::BROADCAST);
      frame->mutable_publish()->set_topic(topic);
      frame->mutable_publish()->set_id(id);
    });
    handle([&](v1::ClientFrame* frame, const std::string& id) {
      frame->mutable_presence()->set_topic(topic);
      frame->mutable_presence()->set_id(id);
    });
    handle(
        [&](v1::ClientFrame* frame, const std::string& id) { frame->mutable_ping()->set_id(id); });
    handle([&](v1::ClientFrame* frame, const std::string& id) {
      frame->mutable_publish()->set_action_type(v1::DIRECT);
      frame->mutable_publish()->set_to("nobody");
      frame->mutable_publish()->set_id(id);
    });
    if (i % 4 == 3) {
      handle([&](v1::ClientFrame* frame, const std::string& id) {
        frame->mutable_unsubscribe()->set_topic(topic);
        frame->mutable_unsubscribe()->set_id(id);
      });
    }
  }
  engine().RunUntilIdle();
  EXPECT_EQ(Answers(*alice), expected);
}

TEST_P(IdsTest, PresenceIsCountedWhereTheTopicLives) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  auto twin = Join("bob", Shard(2));
  for (FakeClient* client : {alice.get(), bob.get(), twin.get()}) client->Subscribe("t");
  const auto ask = [&] {
    v1::ClientFrame frame;
    frame.mutable_presence()->set_topic("t");
    alice->Send(frame);
    return alice->Events().at(0).presence();
  };
  EXPECT_EQ(ask().sessions(), 3u);
  EXPECT_THAT(ask().users(), testing::UnorderedElementsAre("alice", "bob"));
  twin->Leave();
  EXPECT_THAT(ask().users(), testing::UnorderedElementsAre("alice", "bob"));
  bob->Unsubscribe("t");
  EXPECT_EQ(ask().sessions(), 1u);
  EXPECT_THAT(ask().users(), ElementsAre("alice"));
}

TEST_P(IdsTest, AnExceptionInBetweenIsAnAnswerToo) {
  options.mailbox.bytes = 4000;
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1));
  v1::ClientFrame frame;
  frame.mutable_publish()->set_action_type(v1::DIRECT);
  frame.mutable_publish()->set_to("bob");
  // More than could be on the way if what had no answer counted for ever.
  for (int i = 0; i < 20; ++i) {
    frame.mutable_publish()->set_id("id " + std::to_string(i));
    const Arrival arrival = alice->session().shard().ArrivalNow();
    clock.ThrowOnce();
    alice->session().Handle(frame, arrival, 0);
    engine().RunUntilIdle();
    EXPECT_THAT(Answers(*alice), ElementsAre(testing::Pair(frame.publish().id(), 1)));
    EXPECT_FALSE(alice->reading_paused);
  }
  EXPECT_THAT(bob->Story(), IsEmpty());
}

}  // namespace
}  // namespace crier
