// What every bus promises, on one node: the same tests with the local bus and with a cluster's on a
// real Redis.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "server/engine/bus.h"
#include "tests/support/bus_node.h"

namespace crier {
namespace {

using testing::BusNode;
using testing::BusTest;
using testing::Reader;
using testing::RedisServer;

enum class Kind { kLocal, kCluster };

class BusContractTest : public BusTest, public ::testing::WithParamInterface<Kind> {
 protected:
  BusNode& node() {
    if (node_ == nullptr) {
      if (GetParam() == Kind::kCluster) redis_ = std::make_unique<RedisServer>();
      node_ = &AddNode(redis_ == nullptr ? std::string() : redis_->url());
    }
    return *node_;
  }

  HistoryRange History(const std::string& topic, uint64_t from, size_t most) {
    HistoryRange range;
    bool done = false;
    node().engine().History(node().engine().shard(0), topic, from, most, [&](HistoryRange got) {
      range = std::move(got);
      done = true;
    });
    Until("history is read", [&] { return done; });
    return range;
  }
  static std::vector<std::string> BodiesOf(const HistoryRange& range) {
    std::vector<std::string> bodies;
    for (const auto& run : range.events) {
      v1::ServerFrame frame;
      EXPECT_TRUE(frame.ParseFromArray(run.bytes.data(), static_cast<int>(run.bytes.size())));
      for (const v1::Event& event : frame.events()) bodies.push_back(event.message().body());
    }
    return bodies;
  }

 private:
  std::unique_ptr<RedisServer> redis_;
  BusNode* node_ = nullptr;
};

TEST_P(BusContractTest, AllFollowersSeeOneOrderWithoutHoles) {
  Reader& canonical = Join(node(), "a", 0);
  Reader& text = Join(node(), "b", 1, TextLineEncoding());
  Reader& other = Join(node(), "c", 1);
  for (Reader* reader : {&canonical, &text, &other}) Subscribe(*reader, "room");
  for (int i = 0; i < 50; ++i) {
    canonical->Broadcast("a" + std::to_string(i), "room");
    text->Broadcast("b" + std::to_string(i), "room");
  }
  for (Reader* reader : {&canonical, &text, &other}) {
    Until("all have come", [&] { return reader->bodies().size() == 100; });
  }
  EXPECT_EQ(canonical.bodies(), text.bodies());
  EXPECT_EQ(canonical.bodies(), other.bodies());
  uint64_t offset = 0;
  for (const v1::Event& event : canonical.events()) {
    if (!event.has_message()) continue;
    EXPECT_EQ(event.message().offset(), ++offset);
    EXPECT_EQ(event.message().topic(), "room");
  }
  // The order of one sender is its own.
  std::vector<std::string> of_a;
  std::copy_if(canonical.bodies().begin(), canonical.bodies().end(), std::back_inserter(of_a),
               [](const std::string& body) { return body.starts_with("a"); });
  for (size_t i = 0; i < of_a.size(); ++i) EXPECT_EQ(of_a[i], "a" + std::to_string(i));
}

TEST_P(BusContractTest, AnAckNamesThePlace) {
  Reader& sender = Join(node(), "a");
  Subscribe(sender, "room");
  sender->Broadcast("one", "room", "1");
  sender->Broadcast("two", "room", "2");
  Until("both are acknowledged", [&] { return sender.acks().size() == 3; });
  EXPECT_EQ(sender.acks()[1].offset(), 1u);
  EXPECT_EQ(sender.acks()[2].offset(), 2u);
  EXPECT_EQ(sender.acks()[1].epoch(), sender.acks()[2].epoch());
  UntilBodies(sender, {"one", "two"});
  EXPECT_EQ(sender.Place("room").epoch(), sender.acks()[1].epoch());
}

TEST_P(BusContractTest, AnIdIsPublishedOnce) {
  Reader& sender = Join(node(), "a");
  Reader& again = Join(node(), "a", 1);
  Reader& follower = Join(node(), "b", 1);
  Subscribe(follower, "room");
  sender->Broadcast("once", "room", "id");
  Until("it is acknowledged", [&] { return sender.acks().size() == 1; });
  again->Broadcast("once", "room", "id");
  Until("it is acknowledged again", [&] { return again.acks().size() == 1; });
  EXPECT_FALSE(sender.acks()[0].duplicate());
  EXPECT_TRUE(again.acks()[0].duplicate());
  EXPECT_EQ(again.acks()[0].offset(), sender.acks()[0].offset());
  EXPECT_EQ(again.acks()[0].epoch(), sender.acks()[0].epoch());
  // To another topic, or by another user, it is another message.
  sender->Broadcast("elsewhere", "other room", "id");
  follower->Broadcast("of another", "room", "id");
  UntilBodies(follower, {"once", "of another"});
}

TEST_P(BusContractTest, AMessageToAUserReachesEachOfItsSessions) {
  Reader& sender = Join(node(), "a");
  Reader& first = Join(node(), "b", 0);
  Reader& second = Join(node(), "b", 1, TextLineEncoding());
  sender->Direct("b", "hello", "1");
  sender->Direct("b", "again", "2");
  UntilBodies(first, {"hello", "again"});
  UntilBodies(second, {"hello", "again"});
  Until("they are acknowledged", [&] { return sender.acks().size() == 2; });
  EXPECT_GE(sender.acks()[0].recipients(), 1u);
}

TEST_P(BusContractTest, AMessageToNobodyIsRefused) {
  Reader& sender = Join(node(), "a");
  sender->Direct("nobody", "hello", "1");
  Until("it is refused", [&] { return !sender.errors().empty(); });
  EXPECT_EQ(sender.errors().front(), "NO_RECIPIENT");
  Reader& late = Join(node(), "nobody", 1);
  sender->Direct("nobody", "hello", "1");
  UntilBodies(late, {"hello"});
  Leave(late);
  Until("it is refused again", [&] {
    sender->Direct("nobody", "hello");
    Run();
    return sender.errors().size() > 1;
  });
}

TEST_P(BusContractTest, AMessageWithoutAnAddresseeComesBack) {
  Reader& sender = Join(node(), "a");
  sender->Direct("", "to myself", "1");
  UntilBodies(sender, {"to myself"});
  Until("it is acknowledged", [&] { return sender.acks().size() == 1; });
}

TEST_P(BusContractTest, WhoResumesGetsWhatItMissed) {
  Reader& sender = Join(node(), "a");
  for (const auto* encoding : {&CanonicalEncoding(), &TextLineEncoding()}) {
    const std::string topic(encoding->name());
    Reader& first = Join(node(), "b", 1, *encoding);
    Subscribe(first, topic);
    sender->Broadcast("1", topic);
    UntilBodies(first, {"1"});
    const v1::ResumePoint place = first.Place(topic);
    Leave(first);
    for (int i = 2; i <= 300; ++i) sender->Broadcast(std::to_string(i), topic);
    Settle();
    // Whether others follow there or not.
    for (size_t shard : {0, 1}) {
      Reader& back = Join(node(), "b", shard, *encoding);
      back->SubscribeFrom(topic, place.epoch(), place.offset());
      Until("all that was missed comes", [&] { return back.bodies().size() == 299; });
      EXPECT_EQ(back.bodies().front(), "2");
      EXPECT_EQ(back.bodies().back(), "300");
      EXPECT_TRUE(back.gaps().empty());
    }
  }
}

TEST_P(BusContractTest, WhatIsNoLongerKeptIsToldAsAGap) {
  options.topic_log.events = 64;
  Reader& sender = Join(node(), "a");
  Reader& first = Join(node(), "b", 1);
  Subscribe(first, "room");
  sender->Broadcast("1", "room");
  UntilBodies(first, {"1"});
  const v1::ResumePoint place = first.Place("room");
  Leave(first);
  for (int i = 2; i <= 200; ++i) sender->Broadcast(std::to_string(i), "room");
  Settle();
  for (const auto* encoding : {&CanonicalEncoding(), &TextLineEncoding()}) {
    Reader& back = Join(node(), "b", 1, *encoding);
    back->SubscribeFrom("room", place.epoch(), place.offset());
    Until("the newest comes",
          [&] { return !back.bodies().empty() && back.bodies().back() == "200"; });
    ASSERT_EQ(back.gaps().size(), 1u);
    EXPECT_EQ(back.gaps()[0].first(), 2u);
    EXPECT_EQ(back.gaps()[0].reason(), v1::EXPIRED);
    EXPECT_EQ(back.bodies().front(), std::to_string(back.gaps()[0].last() + 1));
    EXPECT_LE(back.bodies().size(), 64u);
    EXPECT_GE(back.bodies().size(), 48u);
  }
}

TEST_P(BusContractTest, AnotherEpochIsTold) {
  Reader& sender = Join(node(), "a");
  sender->Broadcast("1", "room");
  sender->Broadcast("2", "room");
  Settle();
  Reader& back = Join(node(), "b", 1);
  back->SubscribeFrom("room", 7, 1);
  UntilBodies(back, {"1", "2"});
  ASSERT_EQ(back.gaps().size(), 1u);
  EXPECT_EQ(back.gaps()[0].reason(), v1::NEW_EPOCH);
}

TEST_P(BusContractTest, AFollowerOfATopicWithoutMessagesResumesWithoutAGap) {
  Reader& first = Join(node(), "b");
  Subscribe(first, "room");
  const uint64_t epoch = first.acks()[0].epoch();
  const uint64_t offset = first.acks()[0].offset();
  EXPECT_EQ(offset, 0u);
  Reader& stays = Join(node(), "c", 1);
  Subscribe(stays, "room");
  Leave(first);
  Reader& sender = Join(node(), "a");
  sender->Broadcast("1", "room");
  UntilBodies(stays, {"1"});
  Reader& back = Join(node(), "b", 1);
  back->SubscribeFrom("room", epoch, offset);
  UntilBodies(back, {"1"});
  EXPECT_TRUE(back.gaps().empty());
  EXPECT_TRUE(stays.gaps().empty());
}

TEST_P(BusContractTest, HistoryIsReadInPages) {
  Reader& sender = Join(node(), "a");
  for (int i = 1; i <= 40; ++i) sender->Broadcast(std::to_string(i), "room");
  Settle();
  const HistoryRange page = History("room", 11, 5);
  EXPECT_EQ(BodiesOf(page), (std::vector<std::string>{"11", "12", "13", "14", "15"}));
  EXPECT_EQ(page.head, 40u);
  EXPECT_EQ(page.tail, 1u);
  EXPECT_EQ(BodiesOf(History("room", 0, 1000)).size(), 40u);
  EXPECT_TRUE(BodiesOf(History("room", 41, 10)).empty());
  EXPECT_TRUE(BodiesOf(History("never heard of", 0, 10)).empty());
}

TEST_P(BusContractTest, AgeDropsWhatIsOld) {
  options.topic_log.age = std::chrono::milliseconds(50);
  Reader& sender = Join(node(), "a");
  sender->Broadcast("old", "room");
  Settle();
  Until("it is gone", [&] { return BodiesOf(History("room", 0, 10)).empty(); });
}

TEST_P(BusContractTest, WhatIsYoungIsFoundBehindMuchThatIsOld) {
  options.topic_log.age = std::chrono::milliseconds(500);
  Reader& sender = Join(node(), "a");
  // More than a page of history has.
  for (int i = 1; i <= 1200; ++i) sender->Broadcast("old", "room");
  Settle();
  Until("it is gone", [&] { return BodiesOf(History("room", 0, 1000)).empty(); });
  sender->Broadcast("young", "room");
  Settle();
  const HistoryRange page = History("room", 0, 1000);
  EXPECT_EQ(BodiesOf(page), std::vector<std::string>{"young"});
  EXPECT_EQ(page.tail, 1201u);
}

TEST_P(BusContractTest, ACrowdThatAsksWhoIsThereIsAnswered) {
  std::vector<Reader*> crowd;
  for (size_t i = 0; i < 20; ++i) crowd.push_back(&Join(node(), "u" + std::to_string(i), i % 2));
  for (Reader* reader : crowd) {
    v1::ClientFrame frame;
    frame.mutable_presence()->set_id("p");
    (*reader)->Send(frame);
  }
  for (Reader* reader : crowd) {
    Until("the answer comes", [&] { return reader->presences().size() == 1; });
    EXPECT_EQ(reader->presences()[0].sessions(), 20u);
  }
}

TEST_P(BusContractTest, PresenceNamesWhoFollows) {
  Reader& asker = Join(node(), "a");
  Reader& follower = Join(node(), "b", 1);
  Subscribe(asker, "room");
  Subscribe(follower, "room");
  v1::ClientFrame frame;
  frame.mutable_presence()->set_topic("room");
  frame.mutable_presence()->set_id("p");
  asker->Send(frame);
  Until("the answer comes", [&] { return asker.presences().size() == 1; });
  EXPECT_EQ(asker.presences()[0].sessions(), 2u);
  EXPECT_THAT(asker.presences()[0].users(), ::testing::UnorderedElementsAre("a", "b"));
}

TEST_P(BusContractTest, NothingIsCountedAsKeptAfterAllHaveLeft) {
  Reader& follower = Join(node(), "b", 1);
  Subscribe(follower, "room");
  follower->Broadcast("1", "room");
  UntilBodies(follower, {"1"});
  Leave(follower);
  Until("sessions keep nothing", [&] {
    int64_t bytes = 0;
    for (size_t shard = 0; shard < options.shards; ++shard) {
      bytes += node().metrics(shard).memory[static_cast<size_t>(MemoryKind::kMailboxes)].value();
    }
    return bytes == 0;
  });
}

INSTANTIATE_TEST_SUITE_P(Buses, BusContractTest, ::testing::Values(Kind::kLocal, Kind::kCluster),
                         [](const auto& kind) {
                           return kind.param == Kind::kLocal ? "Local" : "Cluster";
                         });

}  // namespace
}  // namespace crier
