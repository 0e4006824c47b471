// A client that stops reading is a cursor that lags: it costs the server a bounded amount of
// memory, disturbs nobody, and is told exactly what it missed.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/grpc_fixture.h"

namespace crier::testing {
namespace {

class GrpcSlowConsumerTest : public GrpcTest {
 protected:
  static constexpr size_t kLogBytes = 256 << 10;

  GrpcSlowConsumerTest() {
    engine_options_.topic_log.bytes = kLogBytes;
    grpc_options_.close_timeout = std::chrono::milliseconds(300);
  }

  // Publishes, and lets `reader` take each message, until `slow` sessions lag (or were closed for
  // it) and then `more` messages. Returns how many were published.
  uint64_t PublishUntilLagging(GrpcStream* reader, int64_t slow, uint64_t more) {
    auto publisher = NewClient().Connect("publisher");
    const std::string body(4000, 'x');
    uint64_t count = 0;
    uint64_t left = more;
    while (left > 0 && !HasFailure()) {
      if (lagging() + static_cast<int64_t>(ended(Outcome::kSlowConsumer)) >= slow) --left;
      publisher->Send(AsFrame(Broadcast(body, "feed")));
      ++count;
      EXPECT_EQ(reader->NextMessage().offset(), count);
      most_log_bytes_ = std::max(most_log_bytes_, log_bytes());
    }
    return count;
  }

  int64_t most_log_bytes_ = 0;
};

TEST_F(GrpcSlowConsumerTest, LagsInBoundedMemoryAndGetsAnExactGap) {
  StartServer();
  auto sleeper = ConnectAndFollow("feed", "sleeper");
  auto reader = ConnectAndFollow("feed", "reader");
  const uint64_t published = PublishUntilLagging(reader.get(), 1, 500);
  EXPECT_EQ(lagging(), 1);
  // The limit, the chunk that is being filled, and the slack of the oldest one.
  EXPECT_LT(most_log_bytes_, static_cast<int64_t>(kLogBytes + 3 * (64 << 10)));

  // It wakes up: what was under way, one gap, and then everything from the tail on.
  uint64_t next = 1;
  int gaps = 0;
  while (next <= published) {
    const auto event = sleeper->Next();
    ASSERT_TRUE(event.has_value()) << "nothing came after offset " << next - 1;
    if (event->has_gap()) {
      ++gaps;
      EXPECT_EQ(event->gap().first(), next);
      EXPECT_EQ(event->gap().reason(), v1::SLOW_CONSUMER);
      EXPECT_EQ(event->gap().topic(), "feed");
      next = event->gap().last() + 1;
    } else {
      ASSERT_EQ(event->message().offset(), next);
      ++next;
    }
  }
  EXPECT_EQ(next, published + 1);
  EXPECT_EQ(gaps, 1);
  Eventually("it lags no longer", [&] { return lagging() == 0; });
  v1::PublishResponse response;
  ASSERT_TRUE(NewClient().Publish(Broadcast("awake", "feed"), &response).ok());
  EXPECT_EQ(sleeper->NextMessage().body(), "awake");
}

TEST_F(GrpcSlowConsumerTest, ManyOfThemDisturbNobody) {
  StartServer();
  std::vector<std::unique_ptr<GrpcStream>> sleepers;
  for (int i = 0; i < 20; ++i) sleepers.push_back(ConnectAndFollow("feed"));
  auto reader = ConnectAndFollow("feed", "reader");
  PublishUntilLagging(reader.get(), 20, 100);
  EXPECT_EQ(lagging(), 20);
  reader->Settle();
}

TEST_F(GrpcSlowConsumerTest, UnderThePolicyCloseItIsTold) {
  grpc_options_.close_timeout = std::chrono::milliseconds(60'000);
  StartServer();
  auto sleeper = Connect();
  v1::ClientFrame subscribe = Subscribe("feed", "s");
  subscribe.mutable_subscribe()->set_slow_consumer_policy(v1::CLOSE);
  sleeper->Send(subscribe);
  sleeper->NextAck();
  auto reader = ConnectAndFollow("feed", "reader");
  PublishUntilLagging(reader.get(), 1, 200);
  Eventually("the session is closed", [&] { return ended(Outcome::kSlowConsumer) == 1; });
  const grpc::Status status = sleeper->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "SLOW_CONSUMER");
}

TEST_F(GrpcSlowConsumerTest, ClosedAndStillNotReadingItIsCutOff) {
  StartServer();
  auto client = std::make_unique<GrpcClient>(server().addresses());
  auto sleeper = client->Connect();
  v1::ClientFrame hello;
  hello.mutable_hello()->set_slow_consumer_policy(v1::CLOSE);
  sleeper->Send(hello);
  sleeper->Send(Subscribe("feed", "s"));
  sleeper->NextAck();
  auto reader = ConnectAndFollow("feed", "reader");
  PublishUntilLagging(reader.get(), 1, 200);
  Eventually("the session is closed", [&] { return ended(Outcome::kSlowConsumer) == 1; });
  EXPECT_FALSE(sleeper->Finish().ok());
}

}  // namespace
}  // namespace crier::testing
