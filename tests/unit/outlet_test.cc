// What a session owes its client, without a shard: an outlet, its mailbox, and a cursor in a feed
// that the test fills itself.
#include "server/engine/outlet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/engine/feed.h"
#include "tests/support/fake_clock.h"

namespace crier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// "[body]" for a message, "[gap FIRST-LAST]" for a gap, nothing for the rest.
class Brackets final : public Encoding {
 public:
  std::string_view name() const override { return "brackets"; }
  void Append(const v1::Event& event, std::string* out) const override {
    if (event.has_message()) *out += "[" + event.message().body() + "]";
    if (event.has_gap()) {
      *out += "[gap " + std::to_string(event.gap().first()) + "-" +
              std::to_string(event.gap().last()) + "]";
    }
  }
};

class OutletTest : public testing::Test {
 protected:
  OutletTest() {
    feed_.Start({.epoch = 1,
                 .follower_count = std::make_shared<FollowerCount>(),
                 .home_log = &log_,
                 .snapshot = {}});
    cursor_.feed = &feed_;
    cursor_.BeginAfter(0);
  }
  ~OutletTest() override { outlet_.Remove(&cursor_); }

  static v1::Event Message(std::string body) {
    v1::Event event;
    event.mutable_message()->set_body(std::move(body));
    return event;
  }
  bool Deliver(std::string body, bool answer = false) {
    return outlet_.Deliver(Message(std::move(body)), clock_.Now(), answer);
  }
  void NoteGap(uint64_t first, uint64_t last) {
    v1::Gap gap;
    gap.set_first(first);
    gap.set_last(last);
    outlet_.NoteGap(gap);
  }
  void Publish(const std::string& body) {
    log_.Append("[" + body + "]", clock_.Now());
    outlet_.AddReady(&cursor_);
  }
  std::string Peeked(size_t budget = 1000) {
    std::string bytes;
    for (const Slice& slice : outlet_.Peek(budget)) bytes.append(slice.data, slice.size);
    return bytes;
  }
  // Takes as much as is lent, at most `most` bytes; returns that with the rest of a cut event.
  std::string Taken(size_t most = 1000) {
    std::string bytes = Peeked().substr(0, most);
    const size_t size = bytes.size();
    bytes += "|";
    bytes += outlet_.Take(size);
    return bytes;
  }

  const Brackets brackets_;
  const LogLimits limits_{.bytes = 200, .events = 4, .age = std::chrono::hours(1)};
  FakeClock clock_;
  MemoryBudget budget_{1 << 20};
  ShardMetrics metrics_;
  MemoryMeter memory_{&budget_, &metrics_};
  Loan loan_;
  MailboxPool mailboxes_{limits_};
  const OutletContext context_{.clock = &clock_,
                               .metrics = &metrics_,
                               .memory = &memory_,
                               .loan = &loan_,
                               .mailboxes = &mailboxes_};
  EventLog log_{limits_};
  Feed feed_{"t", &brackets_, limits_, 1, nullptr};
  Cursor cursor_{nullptr, v1::SKIP};
  Outlet outlet_{&context_, TransportKind::kWebSocket, &brackets_};
};

TEST_F(OutletTest, HasNothingAtFirst) {
  EXPECT_FALSE(outlet_.has_pending());
  EXPECT_THAT(Peeked(), IsEmpty());
}

// Its mailbox is given back in between: what it counts goes on.
TEST_F(OutletTest, AMailboxThatWasEmptyGoesOn) {
  for (int i = 0; i < 3; ++i) {
    Deliver("x", /*answer=*/true);
    EXPECT_EQ(outlet_.behind().events, 1u);
    EXPECT_EQ(outlet_.mailbox().head(), static_cast<uint64_t>(i) + 1);
    EXPECT_EQ(Taken(), "[x]|");
    EXPECT_FALSE(outlet_.has_pending());
    EXPECT_EQ(outlet_.mailbox().delivered(), static_cast<uint64_t>(i) + 1);
    EXPECT_EQ(outlet_.mailbox().head(), static_cast<uint64_t>(i) + 1);
    EXPECT_EQ(outlet_.mailbox().memory(), 0u);
    EXPECT_EQ(outlet_.behind().events, 0u);
  }
}

TEST_F(OutletTest, GapsGoBeforeTheMailboxAndTheMailboxBeforeTopics) {
  Publish("topic");
  Deliver("mail");
  NoteGap(1, 2);
  EXPECT_EQ(Taken(), "[gap 1-2][mail][topic]|");
  EXPECT_FALSE(outlet_.has_pending());
}

TEST_F(OutletTest, WhatWasPeekedAtAndNotTakenComesAgain) {
  Deliver("a");
  EXPECT_EQ(Peeked(), "[a]");
  Publish("b");
  EXPECT_EQ(Peeked(), "[a][b]");
}

TEST_F(OutletTest, ABudgetLetsOneEventThroughAtLeast) {
  Deliver("a");
  Deliver("b");
  EXPECT_EQ(Peeked(1), "[a]");
}

TEST_F(OutletTest, TheRestOfACutEventIsTheTransports) {
  Deliver("abc");
  Publish("def");
  EXPECT_EQ(Taken(2), "[a|bc]");
  EXPECT_EQ(outlet_.mailbox().delivered(), 1u);
  EXPECT_EQ(Taken(3), "[de|f]");
  EXPECT_EQ(cursor_.delivered(), 1u);
  EXPECT_FALSE(outlet_.has_pending());
}

TEST_F(OutletTest, ACutGapIsTakenWhole) {
  NoteGap(1, 2);
  NoteGap(5, 6);
  EXPECT_EQ(Taken(4), "[gap| 1-2][gap 5-6]");
  EXPECT_FALSE(outlet_.has_pending());
}

TEST_F(OutletTest, AnEventWithoutAFormIsNotKept) {
  v1::Event event;
  event.mutable_pong();
  EXPECT_FALSE(outlet_.Deliver(event, clock_.Now(), /*answer=*/true));
  EXPECT_FALSE(outlet_.has_pending());
}

TEST_F(OutletTest, SaysWhatALogHasDropped) {
  for (int i = 1; i <= 6; ++i) Publish(std::to_string(i));
  ASSERT_TRUE(outlet_.lags());
  EXPECT_FALSE(outlet_.Overrun(/*mailbox_closes=*/true));  // the cursor's policy is to skip
  outlet_.SkipWhatIsGone();
  EXPECT_EQ(Taken(), "[gap 1-2][3][4][5][6]|");
  EXPECT_EQ(cursor_.skipped(), 2u);
  EXPECT_EQ(cursor_.delivered(), 4u);
}

TEST_F(OutletTest, SaysWhatTheMailboxHasDropped) {
  for (int i = 1; i <= 6; ++i) Deliver(std::to_string(i));
  ASSERT_TRUE(outlet_.lags());
  EXPECT_TRUE(outlet_.Overrun(/*mailbox_closes=*/true));
  EXPECT_FALSE(outlet_.Overrun(/*mailbox_closes=*/false));
  outlet_.SkipWhatIsGone();
  EXPECT_EQ(Taken(), "[gap 1-2][3][4][5][6]|");
  EXPECT_EQ(outlet_.mailbox().skipped(), 2u);
}

TEST_F(OutletTest, WhatIsGoneIsNeverLentBeforeItsGap) {
  NoteGap(7, 7);
  for (int i = 1; i <= 6; ++i) Deliver(std::to_string(i));
  outlet_.SkipWhatIsGone();  // later: a gap waits already
  EXPECT_EQ(Taken(), "[gap 7-7]|");
  outlet_.SkipWhatIsGone();
  EXPECT_EQ(Taken(), "[gap 1-2][3][4][5][6]|");
}

TEST_F(OutletTest, OnlyAnswersCountAsBehind) {
  Deliver("from others");
  EXPECT_EQ(outlet_.behind().events, 0u);
  Deliver("answer", /*answer=*/true);
  EXPECT_EQ(outlet_.behind().events, 1u);
  EXPECT_EQ(outlet_.behind().bytes, 8u);
  Taken();
  EXPECT_EQ(outlet_.behind().events, 0u);
}

TEST_F(OutletTest, WhatItKeepsIsCounted) {
  const auto kept = [&] {
    return metrics_.memory[static_cast<size_t>(MemoryKind::kMailboxes)].value();
  };
  EXPECT_EQ(kept(), 0);
  Deliver("a");
  EXPECT_GT(kept(), 0);
  Taken();
  EXPECT_EQ(kept(), 0);
}

TEST_F(OutletTest, ACursorThatIsRemovedIsNotReadAnyMore) {
  Publish("a");
  outlet_.Remove(&cursor_);
  EXPECT_FALSE(outlet_.has_pending());
  EXPECT_THAT(Peeked(), IsEmpty());
}

#ifndef NDEBUG
using OutletDeathTest = OutletTest;

TEST_F(OutletDeathTest, TakeFollowsItsPeek) {
  Deliver("a");
  Peeked();
  Deliver("b");
  EXPECT_DEATH(outlet_.Take(3), "loan.of == this");
}
#endif

}  // namespace
}  // namespace crier
