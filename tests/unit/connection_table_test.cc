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

TEST(ConnectionTableTest, AnIpv6NetworkCountsAsOneAddress) {
  ConnectionTable table({.total = 10, .per_address = 2});
  const std::optional<Place> first = table.Enter("2001:db8::1");
  const std::optional<Place> second = table.Enter("2001:db8::2");
  EXPECT_FALSE(table.Enter("2001:db8::3"));
  EXPECT_TRUE(table.Enter("2001:db8:0:1::3"));
}

TEST(ConnectionTableTest, AProxysConnectionCountsForItsClient) {
  ConnectionTable table(
      {.total = 10, .per_address = 1, .trusted_proxies = *AddressBlocks::Parse("10.0.0.1")});
  std::optional<Place> first = table.Enter("10.0.0.1");
  std::optional<Place> second = table.Enter("10.0.0.1");
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->CountFor("192.0.2.1"));
  EXPECT_FALSE(second->CountFor("192.0.2.1"));
  EXPECT_FALSE(table.Enter("192.0.2.1"));
  first.reset();
  EXPECT_TRUE(second->CountFor("192.0.2.1"));
}

TEST(ConnectionTableTest, AReserveIsThereBeyondTheLimit) {
  ConnectionTable table({.total = 1, .per_address = 1});
  EXPECT_FALSE(table.EnterReserve()) << "there is room";
  std::optional<Place> only = table.Enter("10.0.0.1");
  std::vector<Place> reserve;
  for (size_t i = 0; i < ConnectionTable::kReserve; ++i) {
    std::optional<Place> place = table.EnterReserve();
    ASSERT_TRUE(place);
    EXPECT_TRUE(place->of_reserve());
    reserve.push_back(*std::move(place));
  }
  EXPECT_FALSE(table.EnterReserve());
  EXPECT_EQ(table.size(), 1u);
  reserve.pop_back();
  EXPECT_TRUE(table.EnterReserve());
  EXPECT_FALSE(only->of_reserve());
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

TEST(AddressRatesTest, FromOneAddressSoManyInASecondAndABurst) {
  ConnectionTable table({.total = 1000, .rates = {.per_address = 2}});
  const TimePoint start = std::chrono::steady_clock::now();
  const auto comes = [&](std::string_view address, int milliseconds) {
    return table.Enter(address, start + std::chrono::milliseconds(milliseconds)).has_value();
  };
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(comes("10.0.0.1", 0)) << i;
  EXPECT_FALSE(comes("10.0.0.1", 0));
  EXPECT_TRUE(comes("10.0.0.2", 0)) << "others have their own";
  EXPECT_FALSE(comes("10.0.0.1", 400));
  EXPECT_TRUE(comes("10.0.0.1", 1000));
  EXPECT_TRUE(comes("10.0.0.1", 1000));
  EXPECT_FALSE(comes("10.0.0.1", 1000));
  // After a quiet time there is a burst again, and no more.
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(comes("10.0.0.1", 60'000)) << i;
  EXPECT_FALSE(comes("10.0.0.1", 60'000));
}

TEST(AddressRatesTest, InAllToo) {
  Metrics metrics(1);
  ConnectionTable table({.total = 1000, .rates = {.total = 1, .per_address = 1}}, &metrics);
  const TimePoint now = std::chrono::steady_clock::now();
  for (int i = 0; i < 7; ++i) table.Enter("10.0.0.1", now);
  const auto refused = [&](RefusalKind kind) {
    return metrics.connections().refused[static_cast<size_t>(kind)].value();
  };
  EXPECT_EQ(refused(RefusalKind::kRatePerAddress), 2u);
  EXPECT_EQ(refused(RefusalKind::kRate), 0u) << "what one is refused takes nothing from the others";
  EXPECT_FALSE(table.Enter("10.0.0.2", now));
  EXPECT_EQ(refused(RefusalKind::kRate), 1u);
}

TEST(AddressRatesTest, ARefusalSaysWhy) {
  ConnectionTable table({.total = 6, .per_address = 5, .rates = {.total = 2, .per_address = 2}});
  TimePoint now = std::chrono::steady_clock::now() + std::chrono::hours(1);
  std::vector<std::optional<Place>> places;
  const auto refused = [&](std::string_view address) -> std::optional<RefusalKind> {
    RefusalKind why{};
    places.push_back(table.Enter(address, now, &why));
    return places.back() ? std::nullopt : std::optional(why);
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(refused("10.0.0.1"), std::nullopt);
  EXPECT_EQ(refused("10.0.0.1"), RefusalKind::kPerAddress);
  EXPECT_EQ(refused("10.0.0.2"), std::nullopt);
  EXPECT_EQ(refused("10.0.0.2"), RefusalKind::kTotal);
  for (int i = 0; i < 2; ++i) refused("10.0.0.3");
  EXPECT_EQ(refused("10.0.0.4"), RefusalKind::kRate);
  now += std::chrono::seconds(60);
  for (int i = 0; i < 10; ++i) refused("10.0.0.5");
  EXPECT_EQ(refused("10.0.0.5"), RefusalKind::kRatePerAddress);

  EXPECT_EQ(OutcomeOf(RefusalKind::kTotal), Outcome::kTooManySessions);
  EXPECT_EQ(OutcomeOf(RefusalKind::kRate), Outcome::kRateLimited);
  for (size_t i = 0; i < kRefusalCount; ++i) {
    EXPECT_NE(TextOf(static_cast<RefusalKind>(i)), "") << i;
  }
}

TEST(AddressRatesTest, ClientsOfAProxyAreCountedWhenTheyStay) {
  ConnectionTable table({.total = 1000,
                         .rates = {.per_address = 1},
                         .trusted_proxies = *AddressBlocks::Parse("10.0.0.1")});
  const TimePoint now = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    std::optional<Place> place = table.Enter("10.0.0.1", now);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->CountFor("192.0.2.1", now), i < 5);
  }
}

TEST(ConnectionTableTest, CallsOfOneAddress) {
  Metrics metrics(1);
  ConnectionTable table(
      {.total = 1000, .calls_per_address = 2, .trusted_proxies = *AddressBlocks::Parse("10.0.0.1")},
      &metrics);
  const TimePoint now = std::chrono::steady_clock::now();
  std::vector<std::optional<Place>> places;
  for (int i = 0; i < 20; ++i) places.push_back(table.Enter("192.0.2.1", now));
  // Whatever connection they come by.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(places[i]->TakeCall("192.0.2.1", now), i < 10) << i;
  EXPECT_EQ(metrics.connections().calls_refused.value(), 10u);
  EXPECT_TRUE(places[0]->TakeCall("192.0.2.2", now)) << "others have their own";
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(places[0]->TakeCall("10.0.0.1", now)) << "a proxy";
  EXPECT_TRUE(places[0]->TakeCall("192.0.2.1", now + std::chrono::seconds(1)));
  EXPECT_EQ(places[0]->calls_per_address(), 2u);
  // Connections have their own rate: none here.
  EXPECT_TRUE(table.Enter("192.0.2.1", now));
}

TEST(AddressRatesTest, AddressesThatStayAwayAreForgotten) {
  const TimePoint start = std::chrono::steady_clock::now();
  AddressRates rates({.per_address = 1}, start);
  for (int i = 0; i < 1000; ++i) rates.Count(std::to_string(i), start);
  EXPECT_EQ(rates.size(), 1000u);
  for (int second = 0; second < 20; ++second) {
    rates.Count("x", start + std::chrono::seconds(second));
  }
  EXPECT_EQ(rates.size(), 1u);
}

}  // namespace
}  // namespace crier
