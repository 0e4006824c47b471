#include "server/engine/event_log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace crier {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};

std::string Number(uint64_t n) { return "event " + std::to_string(n) + ";"; }

std::string ReadAll(const EventLog& log, uint64_t from, size_t budget = 1 << 20) {
  std::string all;
  while (from <= log.head()) {
    const EventRun run = log.Read(from, budget);
    EXPECT_EQ(run.first, from);
    all.append(run.data, run.size);
    from = run.last + 1;
  }
  return all;
}

std::string Numbers(uint64_t first, uint64_t last) {
  std::string all;
  for (uint64_t n = first; n <= last; ++n) all += Number(n);
  return all;
}

class EventLogTest : public testing::Test {
 protected:
  void Fill(EventLog* log, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) log->Append(Number(log->head() + 1), kStart);
  }
  LogLimits limits{.bytes = 1 << 20, .events = 10'000, .age = seconds(300)};
};

TEST_F(EventLogTest, StartsEmptyAndCountsFromOne) {
  EventLog log(limits);
  EXPECT_EQ(log.head(), 0u);
  EXPECT_EQ(log.tail(), 1u);
  EXPECT_EQ(log.memory(), 0u);
  EXPECT_TRUE(log.Read(1, 100).empty());
  Fill(&log, 1);
  EXPECT_EQ(log.head(), 1u);
  EXPECT_EQ(ReadAll(log, 1), Number(1));
}

TEST_F(EventLogTest, AnyRunIsTheEventsEndToEnd) {
  EventLog log(limits);
  Fill(&log, 5000);
  for (const uint64_t from : {1u, 2u, 37u, 2500u, 4999u, 5000u}) {
    EXPECT_EQ(ReadAll(log, from), Numbers(from, 5000)) << from;
  }
}

TEST_F(EventLogTest, ABudgetCutsBetweenEventsButGivesAtLeastOne) {
  EventLog log(limits);
  Fill(&log, 100);
  const EventRun one = log.Read(1, 0);
  EXPECT_EQ(std::string(one.data, one.size), Number(1));
  const size_t two_events = Number(1).size() + Number(2).size();
  EXPECT_EQ(log.Read(1, two_events).last, 2u);
  EXPECT_EQ(log.Read(1, two_events - 1).last, 1u);
  EXPECT_EQ(log.Read(1, two_events + 1).last, 2u);
  EXPECT_EQ(ReadAll(log, 1, 30), Numbers(1, 100));
}

TEST_F(EventLogTest, KeepsAtMostSoManyEvents) {
  limits.events = 10;
  EventLog log(limits);
  Fill(&log, 25);
  EXPECT_EQ(log.head(), 25u);
  EXPECT_EQ(log.tail(), 16u);
  EXPECT_EQ(ReadAll(log, 16), Numbers(16, 25));
}

TEST_F(EventLogTest, KeepsAtMostSoManyBytes) {
  limits.bytes = 1000;
  EventLog log(limits);
  Fill(&log, 500);
  EXPECT_LE(ReadAll(log, log.tail()).size(), 1000u);
  EXPECT_GT(ReadAll(log, log.tail()).size(), 1000u - Number(500).size());
}

TEST_F(EventLogTest, MemoryFollowsTheLimitAndNotTheTraffic) {
  EventLog log(limits);
  Fill(&log, 200'000);
  const size_t settled = log.memory();
  Fill(&log, 1'000'000);
  EXPECT_LE(log.memory(), settled + (128 << 10));
  EXPECT_LE(log.memory(), 2u << 20);
}

TEST_F(EventLogTest, KeepsTheNewestEventHoweverLarge) {
  limits.bytes = 100;
  EventLog log(limits);
  log.Append(std::string(1 << 20, 'x'), kStart);
  EXPECT_EQ(log.tail(), 1u);
  EXPECT_EQ(log.Read(1, 10).size, 1u << 20);
}

TEST_F(EventLogTest, DropsWhatIsTooOld) {
  EventLog log(limits);
  log.Append("a", kStart);
  log.Append("b", kStart + seconds(100));
  EXPECT_FALSE(log.ExpireBefore(kStart + seconds(300)));
  EXPECT_TRUE(log.ExpireBefore(kStart + seconds(301)));
  EXPECT_EQ(log.tail(), 2u);
  EXPECT_TRUE(log.ExpireBefore(kStart + seconds(401)));
  EXPECT_EQ(log.tail(), 3u);
  EXPECT_EQ(log.memory(), 0u);
  log.Append("c", kStart + seconds(402));
  EXPECT_EQ(log.head(), 3u);
  EXPECT_EQ(ReadAll(log, 3), "c");
}

TEST_F(EventLogTest, RemembersWhenEachEventCame) {
  EventLog log(limits);
  log.Append("a", kStart);
  log.Append("b", kStart + milliseconds(1500));
  log.Append("c", kStart + std::chrono::hours(3));  // beyond a chunk's clock
  EXPECT_EQ(log.ReceivedAt(1), kStart);
  EXPECT_EQ(log.ReceivedAt(2), kStart + milliseconds(1500));
  EXPECT_EQ(log.ReceivedAt(3), kStart + std::chrono::hours(3));
}

TEST_F(EventLogTest, ShrinkingHalvesItAndEmptiesASmallOne) {
  EventLog log(limits);
  Fill(&log, 20'000);
  const size_t before = log.memory();
  log.Shrink(log.head() + 1);
  EXPECT_LE(log.memory(), before / 2);
  EXPECT_EQ(log.head(), 20'000u);
  EXPECT_EQ(ReadAll(log, log.tail()), Numbers(log.tail(), 20'000));
  EventLog small(limits);
  Fill(&small, 3);
  small.Shrink(3);
  EXPECT_EQ(small.tail(), 3u);
  small.Shrink(small.head() + 1);
  EXPECT_EQ(small.memory(), 0u);
  EXPECT_EQ(small.tail(), 4u);
}

class ReplicaTest : public EventLogTest {
 protected:
  void ExpectEqual(const EventLog& log, const EventLog& replica) {
    EXPECT_EQ(replica.head(), log.head());
    EXPECT_EQ(replica.tail(), log.tail());
    EXPECT_EQ(ReadAll(replica, replica.tail()), ReadAll(log, log.tail()));
  }
};

TEST_F(ReplicaTest, FollowsByDeltas) {
  limits.events = 1000;
  EventLog log(limits);
  EventLog replica(limits);
  for (int round = 0; round < 50; ++round) {
    Fill(&log, static_cast<uint64_t>(round * 7 + 1));
    replica.Apply(log.TakeDelta());
    ExpectEqual(log, replica);
  }
}

TEST_F(ReplicaTest, ALateOneStartsFromASnapshot) {
  EventLog log(limits);
  EventLog early(limits);
  Fill(&log, 3000);
  early.Apply(log.TakeDelta());
  Fill(&log, 100);
  EventLog late(limits);
  late.Apply(log.Snapshot());
  Fill(&log, 2000);
  const LogDelta delta = log.TakeDelta();
  early.Apply(delta);
  late.Apply(delta);
  ExpectEqual(log, early);
  ExpectEqual(log, late);
}

TEST_F(ReplicaTest, SurvivesThatTheLogFreesItsChunks) {
  limits.events = 10;
  EventLog log(limits);
  EventLog replica(limits);
  Fill(&log, 10);
  replica.Apply(log.TakeDelta());
  Fill(&log, 100'000);
  EXPECT_EQ(ReadAll(replica, 1), Numbers(1, 10));
  replica.Apply(log.TakeDelta());
  ExpectEqual(log, replica);
}

}  // namespace
}  // namespace crier
