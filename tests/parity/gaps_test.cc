// A session that does not read is told exactly what it missed, whichever transport and dialect it
// and the publisher use; one that reads misses nothing.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/parity/parity_fixture.h"
#include "tests/support/frames.h"

namespace crier::testing {
namespace {

class GapsTest : public ParityTest, public ::testing::WithParamInterface<SpeechPair> {};

TEST_P(GapsTest, AreExact) {
  engine_options_.topic_log.bytes = 256 << 10;
  StartServer();
  const Speech publishing = GetParam().first;
  const Speech sleeping = GetParam().second;
  const auto publisher = Connect(publishing, "publisher");
  const auto sleeper = Connect(sleeping, "sleeper");
  sleeper->Send(Subscribe("feed", "s"));
  sleeper->Next();
  publisher->Send(Subscribe("feed", "s"));
  publisher->Next();

  // The publisher takes each of its own messages, so it never lags.
  const std::string body(8000, 'x');
  uint64_t published = 0;
  for (int more = 200; more > 0 && !HasFailure();) {
    if (lagging(sleeping) > 0) --more;
    publisher->Send(AsFrame(Broadcast(body, "feed")));
    EXPECT_EQ(publisher->Next().message().offset(), ++published);
  }

  uint64_t next = 1;
  uint64_t skipped = 0;
  while (next <= published && !HasFailure()) {
    const v1::Event event = sleeper->Next();
    if (event.has_gap()) {
      EXPECT_EQ(event.gap().first(), next);
      EXPECT_EQ(event.gap().reason(), v1::SLOW_CONSUMER);
      EXPECT_EQ(event.gap().topic(), "feed");
      skipped += event.gap().last() + 1 - next;
      next = event.gap().last() + 1;
    } else {
      EXPECT_EQ(event.message().offset(), next++);
    }
  }
  EXPECT_EQ(next, published + 1);
  EXPECT_GT(skipped, 0u);
}

INSTANTIATE_TEST_SUITE_P(Speech, GapsTest, ::testing::ValuesIn(AllPairs()), NameOfPair);

}  // namespace
}  // namespace crier::testing
