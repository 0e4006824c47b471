// What Redis drops because its memory is full, while nodes still know it: real evictions are in
// tests/cluster, here a topic is deleted.
#include <algorithm>
#include <string>

#include "tests/support/bus_node.h"

namespace crier {
namespace {

using testing::BusNode;
using testing::BusTest;
using testing::Reader;
using testing::RedisServer;

class ClusterEvictionTest : public BusTest {
 protected:
  ClusterEvictionTest() : node_(AddNode(redis_.url())) {}

  void Evict() {
    ASSERT_EQ(redis_.Command({"EVAL",
                              "return #redis.call('KEYS', '*room') - "
                              "redis.call('DEL', unpack(redis.call('KEYS', '*room')))",
                              "0"}),
              "0");
  }

  RedisServer redis_;
  BusNode& node_;
};

TEST_F(ClusterEvictionTest, WhoResumesIsNotPutBackToAnEarlierEpoch) {
  Reader& stays = Join(node_, "ada");
  Subscribe(stays, "room");
  stays->Broadcast("1", "room");
  UntilBodies(stays, {"1"});
  const v1::ResumePoint place = stays.Place("room");
  Evict();
  // It was on another node, which has seen a later epoch before that was dropped too.
  const uint64_t later = place.epoch() + 1;
  Reader& back = Join(node_, "bob", 1);
  back->SubscribeFrom("room", later, 3);
  Until("it is told where it goes on", [&] { return !back.gaps().empty(); });
  EXPECT_EQ(back.gaps()[0].reason(), v1::NEW_EPOCH);
  EXPECT_GT(back.gaps()[0].epoch(), later);
  Until("so are the others", [&] { return !stays.gaps().empty(); });
  EXPECT_EQ(stays.gaps()[0].epoch(), back.gaps()[0].epoch());
  stays->Broadcast("2", "room");
  UntilBodies(back, {"2"});
  UntilBodies(stays, {"1", "2"});
  EXPECT_EQ(back.Place("room").epoch(), back.gaps()[0].epoch());
}

// Of a topic that nothing was published to, as far as a node has heard.
TEST_F(ClusterEvictionTest, WhatMayHaveComeAndGoneUnheardIsTold) {
  const auto deafen = [this] {
    ASSERT_NE(redis_.Command({"CLIENT", "KILL", "TYPE", "pubsub"}), "0");
    Until("the node hears again", [this] {
      return redis_.Command({"PUBSUB", "CHANNELS", "*room"}).find("room") != std::string::npos;
    });
  };
  Reader& reader = Join(node_, "ada");
  const auto told = [&reader] {
    return std::any_of(reader.gaps().begin(), reader.gaps().end(), [](const v1::Gap& gap) {
      return gap.topic() == "room" && gap.reason() == v1::NEW_EPOCH;
    });
  };
  Subscribe(reader, "room");
  deafen();
  Subscribe(reader, "behind");  // its place was asked for behind that of the other
  EXPECT_FALSE(told()) << "nothing was dropped, so nothing can have been lost";

  redis_.Command({"SET", "another", "x", "EX", "1000"});
  redis_.Command({"CONFIG", "SET", "maxmemory-policy", "volatile-ttl"});
  redis_.Command({"CONFIG", "SET", "maxmemory", "1mb"});
  ASSERT_TRUE(redis_.WaitFor({"INFO", "stats"}, "evicted_keys:1"));
  redis_.Command({"CONFIG", "SET", "maxmemory", "0"});
  deafen();
  Until("it is told", told);
  reader->Broadcast("1", "room");
  UntilBodies(reader, {"1"});
}

}  // namespace
}  // namespace crier
