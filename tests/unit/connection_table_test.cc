#include "server/net/connection_table.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "server/metrics/process_stats.h"

namespace crier {
namespace {

using Place = ConnectionTable::Place;

TEST(ConnectionTableTest, APlaceIsHeldUntilItIsDestroyed) {
  ConnectionTable table({.total = 2, .per_address = 0});
  {
    const std::optional<Place> first = table.Enter("127.0.0.1");
    const std::optional<Place> second = table.Enter("127.0.0.1");
    EXPECT_TRUE(first && second);
    EXPECT_EQ(table.size(), 2u);
    EXPECT_FALSE(table.Enter("127.0.0.1"));
  }
  EXPECT_EQ(table.size(), 0u);
  EXPECT_TRUE(table.Enter("127.0.0.1"));
}

TEST(ConnectionTableTest, AMovedPlaceCountsOnce) {
  ConnectionTable table({.total = 3, .per_address = 3});
  Place place = *table.Enter("127.0.0.1");
  Place other = std::move(place);
  EXPECT_EQ(table.size(), 1u);
  other = *table.Enter("::1");
  EXPECT_EQ(table.size(), 1u);
  other.Release();
  other.Release();
  EXPECT_EQ(table.size(), 0u);
}

TEST(ConnectionTableTest, OneAddressCannotTakeAllPlaces) {
  ConnectionTable table({.total = 10, .per_address = 2});
  std::optional<Place> first = table.Enter("10.0.0.1");
  const std::optional<Place> second = table.Enter("10.0.0.1");
  EXPECT_FALSE(table.Enter("10.0.0.1"));
  EXPECT_TRUE(table.Enter("10.0.0.2"));
  first.reset();
  EXPECT_TRUE(table.Enter("10.0.0.1"));
}

TEST(ConnectionTableTest, RefusalsAreCountedByReason) {
  Metrics metrics(1);
  ConnectionTable table({.total = 2, .per_address = 1}, &metrics);
  const auto refused = [&](RefusalKind kind) {
    return metrics.connections().refused[static_cast<size_t>(kind)].value();
  };
  const std::optional<Place> first = table.Enter("10.0.0.1");
  EXPECT_FALSE(table.Enter("10.0.0.1"));
  const std::optional<Place> second = table.Enter("10.0.0.2");
  EXPECT_FALSE(table.Enter("10.0.0.3"));
  EXPECT_FALSE(table.Enter("10.0.0.4"));
  table.CountOutOfDescriptors();
  EXPECT_EQ(refused(RefusalKind::kPerAddress), 1u);
  EXPECT_EQ(refused(RefusalKind::kTotal), 2u);
  EXPECT_EQ(refused(RefusalKind::kDescriptors), 1u);
  EXPECT_EQ(metrics.connections().open.value(), 2);
  EXPECT_EQ(metrics.connections().limit.value(), 2);
}

TEST(ConnectionTableTest, ThreadsNeverShareAPlace) {
  ConnectionTable table({.total = 10, .per_address = 7});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&table] {
      for (int i = 0; i < 1000; ++i) {
        const std::optional<Place> a = table.Enter("10.0.0.1");
        const std::optional<Place> b = table.Enter("10.0.0.2");
        EXPECT_LE(table.size(), 10u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table.size(), 0u);
}

// Puts the descriptor limits of this process back.
class DescriptorLimitTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0); }
  void TearDown() override { ::setrlimit(RLIMIT_NOFILE, &before_); }
  void SetSoft(rlim_t soft) {
    const rlimit limit{.rlim_cur = soft, .rlim_max = before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  rlimit before_{};
};

TEST_F(DescriptorLimitTest, TheAllowanceRaisesTheSoftLimitFirst) {
  SetSoft(64);
  const size_t allowance = ConnectionTable::DescriptorAllowance();
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  EXPECT_EQ(now.rlim_cur, std::min<rlim_t>(before_.rlim_max, 1 << 20));
  const size_t in_use = *OpenDescriptorCount();
  EXPECT_EQ(allowance, now.rlim_cur - in_use - std::max<size_t>(8, now.rlim_cur / 64));
}

TEST_F(DescriptorLimitTest, WithoutALimitOfItsOwnTheTableTakesTheAllowance) {
  ConnectionTable table({});
  EXPECT_EQ(table.limit(), ConnectionTable::DescriptorAllowance());
  // Places are not descriptors that the server itself uses: they do not make the limit smaller.
  const std::optional<Place> place = table.Enter("127.0.0.1");
  table.MeasureAllowance();
  EXPECT_EQ(table.limit(), ConnectionTable::DescriptorAllowance() + 1);
}

}  // namespace
}  // namespace crier
