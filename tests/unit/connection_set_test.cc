// When a set looks at its connections' deadlines, and what becomes of one that throws.
#include "server/transport/connection_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// Is done with its deadline at once, and asks for none again; or throws.
class FakeConnection final : public PolledConnection {
 public:
  struct Story {
    std::vector<TimePoint> checked;
    int failed = 0;
    bool destroyed = false;
    bool throws = false;
  };

  explicit FakeConnection(Story* story) : story_(*story) {}
  ~FakeConnection() override { story_.destroyed = true; }

  TimePoint CheckDeadlines(TimePoint now) override {
    story_.checked.push_back(now);
    if (story_.throws) throw std::bad_alloc();
    return now + std::chrono::hours(1);
  }
  void GoAway() override {
    if (story_.throws) throw std::bad_alloc();
  }
  void HardClose() override {}
  void OnFailed() override { ++story_.failed; }

 private:
  Story& story_;
};

class ConnectionSetTest : public EngineTest {
 protected:
  using Story = FakeConnection::Story;

  void SetUp() override {
    engine().RunUntilIdle();
    set_ = std::make_unique<ConnectionSet>(&engine().shard(0));
    ASSERT_TRUE(set_->Start(/*io_uring=*/false).ok());
  }
  // What was deferred runs while its set is still there.
  void TearDown() override {
    set_->poller().Stop();
    engine().RunUntilIdle();
    set_.reset();
  }

  // It outlives the set, whose connections write to it when they are destroyed.
  Story& NewStory() { return stories_.emplace_back(); }
  FakeConnection* Add(Story* story, Duration due_in) {
    auto connection = std::make_unique<FakeConnection>(story);
    FakeConnection* const added = connection.get();
    set_->Add(std::move(connection), set_->poller().now() + due_in);
    return added;
  }
  // One tick, so long after the last.
  void Tick(std::chrono::milliseconds after = kTickInterval) {
    clock.Advance(after);
    set_->Tick(clock.Now());
    engine().RunUntilIdle();
  }
  void TickFor(std::chrono::milliseconds time) {
    for (; time > 0ms; time -= kTickInterval) Tick();
  }
  uint64_t Exceptions() { return metrics().handler_exceptions.value(); }

  std::deque<Story> stories_;
  std::unique_ptr<ConnectionSet> set_;
};

TEST_F(ConnectionSetTest, ADeadlineIsLookedAtWhenItIsDue) {
  Story& story = NewStory();
  Add(&story, 500ms);
  TickFor(400ms);
  EXPECT_THAT(story.checked, IsEmpty());
  TickFor(200ms);
  EXPECT_EQ(story.checked.size(), 1u);
}

TEST_F(ConnectionSetTest, APauseBringsNoDeadlineNearer) {
  Story& soon = NewStory();
  Story& later = NewStory();
  Add(&soon, 300ms);
  Add(&later, 10s);
  Tick();
  Tick(40s);  // which counts as one tick
  EXPECT_THAT(soon.checked, IsEmpty());
  TickFor(300ms);
  EXPECT_EQ(soon.checked.size(), 1u);
  TickFor(9s);
  EXPECT_THAT(later.checked, IsEmpty());
  TickFor(1s);
  EXPECT_EQ(later.checked.size(), 1u);
}

TEST_F(ConnectionSetTest, WhatIsDueAtTheEndOfAPauseIsLookedAtOneTickLater) {
  Story& story = NewStory();
  Add(&story, 90ms);
  Tick(40s);
  EXPECT_THAT(story.checked, IsEmpty()) << "what came in the pause is yet to be read";
  Tick();
  EXPECT_EQ(story.checked.size(), 1u);
}

TEST_F(ConnectionSetTest, DeadlinesOfMoreThanATurnOfTheWheelAreKeptOverPauses) {
  Story& story = NewStory();
  Add(&story, 120s);
  for (int i = 0; i < 4; ++i) {
    TickFor(20s);
    Tick(300s);
  }
  EXPECT_LT(story.checked.size(), 3u) << "once per turn at most";
  const size_t before = story.checked.size();
  TickFor(41s);
  EXPECT_GT(story.checked.size(), before);
}

TEST_F(ConnectionSetTest, OneThatThrowsIsRemovedAndTheOthersAreLookedAt) {
  Story& before = NewStory();
  Story& broken = NewStory();
  Story& after = NewStory();
  broken.throws = true;
  Add(&before, 100ms);
  Add(&broken, 100ms);
  Add(&after, 100ms);
  TickFor(300ms);
  EXPECT_EQ(before.checked.size(), 1u);
  EXPECT_EQ(broken.checked.size(), 1u);
  EXPECT_EQ(after.checked.size(), 1u);
  EXPECT_EQ(broken.failed, 1);
  EXPECT_EQ(Exceptions(), 1u);
  // What it had under way may still call back for a while.
  EXPECT_FALSE(broken.destroyed);
  TickFor(2s);
  EXPECT_TRUE(broken.destroyed);
  EXPECT_EQ(broken.checked.size(), 1u);
  EXPECT_EQ(set_->size(), 2u);
}

TEST_F(ConnectionSetTest, OneThatHasFailedMayStillRemoveItself) {
  Story& story = NewStory();
  FakeConnection* const connection = Add(&story, 1s);
  set_->Guard(connection, [] { throw 7; });
  set_->Guard(connection, [] { throw std::bad_alloc(); });
  EXPECT_EQ(story.failed, 1);
  EXPECT_EQ(Exceptions(), 2u);
  set_->Remove(connection);
  set_->CheckAt(connection, set_->poller().now());
  Tick();
  EXPECT_FALSE(story.destroyed);
  TickFor(2s);
  EXPECT_TRUE(story.destroyed);
}

TEST_F(ConnectionSetTest, StoppingGoesOnWhereOneThrows) {
  Story& broken = NewStory();
  Story& other = NewStory();
  broken.throws = true;
  Add(&broken, 1s);
  FakeConnection* const good = Add(&other, 1s);
  bool stopped = false;
  set_->Stop([&stopped] { stopped = true; });
  EXPECT_EQ(broken.failed, 1);
  set_->Remove(good);
  TickFor(2s);
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace crier
