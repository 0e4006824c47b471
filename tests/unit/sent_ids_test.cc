// Ids that were sent before: what they are unique for, and how many are remembered.
#include "server/engine/sent_ids.h"

#include <gtest/gtest.h>

namespace crier {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class SentIdsTest : public testing::Test {
 protected:
  bool Knows(const SentIds::Key& key) { return ids_.Find(key, now_).has_value(); }
  void Send(const SentIds::Key& key, uint64_t offset = 1) {
    ASSERT_FALSE(Knows(key));
    ids_.Remember({.offset = offset}, now_);
  }
  static SentIds::Key Id(std::string_view id, std::string_view target = "t") {
    return {.publisher = "user:ann", .action = v1::BROADCAST, .target = target, .id = id};
  }
  int64_t bytes() const { return metrics_.memory[static_cast<size_t>(MemoryKind::kIds)].value(); }

  MemoryBudget budget_{1 << 20};
  ShardMetrics metrics_;
  MemoryMeter memory_{&budget_, &metrics_};
  SentIds ids_{minutes(5), 100, &memory_};
  TimePoint now_{};
};

TEST_F(SentIdsTest, GivesTheFirstResultBack) {
  Send(Id("1"), 7);
  const auto again = ids_.Find(Id("1"), now_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->offset, 7u);
  EXPECT_TRUE(again->duplicate);
}

TEST_F(SentIdsTest, AnIdIsUniqueForItsPublisherAndItsTarget) {
  Send(Id("1"));
  EXPECT_FALSE(Knows(Id("1", "other topic")));
  EXPECT_FALSE(Knows({"user:bob", v1::BROADCAST, "t", "1"}));
  EXPECT_FALSE(Knows({"user:ann", v1::DIRECT, "t", "1"}));
  EXPECT_FALSE(Knows({"user:an", v1::BROADCAST, "nt", "1"}));
  EXPECT_FALSE(Knows({"user:ann", v1::BROADCAST, "t1", ""}));
}

TEST_F(SentIdsTest, IsForgottenAfterItsTime) {
  Send(Id("1"));
  now_ += minutes(5);
  EXPECT_TRUE(Knows(Id("1")));
  now_ += seconds(1);
  EXPECT_FALSE(Knows(Id("1")));
  EXPECT_EQ(bytes(), 0);
}

TEST_F(SentIdsTest, ForgetsTheOldestWhereThereAreTooMany) {
  for (int i = 0; i < 101; ++i) Send(Id(std::to_string(i)));
  EXPECT_EQ(ids_.size(), 100u);
  EXPECT_FALSE(Knows(Id("0")));
  EXPECT_TRUE(Knows(Id("1")));
}

TEST_F(SentIdsTest, GivesWayWhereMemoryIsShort) {
  for (int i = 0; i < 100; ++i) Send(Id(std::to_string(i)));
  budget_.Add(budget_.limit());
  for (int i = 100; i < 150; ++i) Send(Id(std::to_string(i)));
  EXPECT_EQ(ids_.size(), 50u);
  EXPECT_TRUE(Knows(Id("149")));
}

}  // namespace
}  // namespace crier
