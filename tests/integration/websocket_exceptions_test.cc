// An exception in the server ends what it belongs to, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <string>

#include "tests/support/throwing_clock.h"
#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class WebSocketExceptionsTest : public WebSocketServerTest {
 protected:
  WebSocketExceptionsTest() { clock = &throwing_clock_; }

  int64_t Exceptions() {
    return Sum([](const ShardMetrics& metrics) {
      return static_cast<int64_t>(metrics.handler_exceptions.value());
    });
  }

  // Has the handling of a message throw, and expects that its session is told and nobody else.
  void ExpectOneSessionEnds(WebSocketClient& broken, WebSocketClient& other,
                            const std::string& message) {
    throwing_clock_.wall_throws = 1;
    broken.SendFrame(kText, message);
    const auto close = broken.ReadClose();
    ASSERT_TRUE(close);
    EXPECT_EQ(close->close_code(), 1011);
    EXPECT_THAT(close->close_reason(), StartsWith("INTERNAL"));
    broken.SendClose(1011);
    EXPECT_TRUE(broken.WaitForEnd());
    EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kInternal) == 1; }));
    EXPECT_EQ(Exceptions(), 1);
    EXPECT_EQ(ClosedErrors(), 0);

    other.SendText(Say("broadcast", "life goes on"));
    EXPECT_THAT(other.ReadText(), HasSubstr("life goes on"));
    EXPECT_EQ(ConnectionCount(), 1);
  }

  ThrowingClock throwing_clock_;
};

TEST_F(WebSocketExceptionsTest, AMessageThatCannotBeHandledEndsItsSessionOnly) {
  shards = 1;  // both live on it
  Start();
  WebSocketClient broken = Connect();
  WebSocketClient other = Connect();
  ExpectOneSessionEnds(broken, other, Say("direct", "x"));
}

TEST_F(WebSocketExceptionsTest, SoDoesOneOfAClientThatMayDeflate) {
  shards = 1;
  websocket_options.compression = true;
  Start();
  WebSocketClient broken =
      Connect({.target = "/ws", .headers = {{"Sec-WebSocket-Extensions", "permessage-deflate"}}});
  WebSocketClient other = Connect();
  ExpectOneSessionEnds(broken, other, Say("direct", "x"));
}

TEST_F(WebSocketExceptionsTest, WhatCameBehindItIsNotHandled) {
  Start();
  WebSocketClient broken = Connect();
  throwing_clock_.wall_throws = 1;
  broken.SendRaw(WebSocketClient::MaskedFrame(kText, Say("direct", "first")) +
                 WebSocketClient::MaskedFrame(kText, Say("direct", "second")));
  const auto frame = broken.ReadFrame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, kClose) << frame->payload;
}

TEST_F(WebSocketExceptionsTest, ASessionThatCannotBeginEndsItsConnectionOnly) {
  shards = 1;
  Start();
  WebSocketClient other = Connect();
  // A session looks at the clock when it begins; so does a tick, which then is the one to throw.
  for (int tries = 0;; ++tries) {
    ASSERT_LT(tries, 200);
    throwing_clock_.now_throws = 1;
    WebSocketClient broken(address(), WebSocketClient::Options{.target = "/ws", .headers = {}});
    if (broken.status() == 101) continue;
    EXPECT_TRUE(broken.WaitForEnd());
    break;
  }
  EXPECT_GT(Exceptions(), 0);
  EXPECT_TRUE(Eventually([&] { return OpenConnections() == 1; }));
  other.SendText(Say("broadcast", "life goes on"));
  EXPECT_THAT(other.ReadText(), HasSubstr("life goes on"));
  EXPECT_TRUE(Eventually([&] {
    return Sum([](const ShardMetrics& metrics) {
             return metrics.of(TransportKind::kWebSocket).sessions.value();
           }) == 1;
  }));
}

TEST_F(WebSocketExceptionsTest, TicksGoOnAfterOneThatThrows) {
  websocket_options.handshake_timeout = 300ms;
  Start();
  throwing_clock_.now_throws = 5;
  ASSERT_TRUE(Eventually([&] { return throwing_clock_.now_throws == 0; }))
      << "each shard looks at the clock with each tick";
  EXPECT_TRUE(Eventually([&] { return Exceptions() == 5; }));
  WebSocketClient silent(address());
  EXPECT_TRUE(silent.WaitForEnd()) << "only a tick closes it";
}

TEST_F(WebSocketExceptionsTest, AShardsLoopGoesOnAfterATaskThatThrows) {
  Start();
  for (size_t i = 0; i < shards; ++i) {
    engine().shard(i).Post([] { throw std::bad_alloc(); });
    engine().shard(i).Post([] { throw 7; });
  }
  EXPECT_TRUE(Eventually([&] { return Exceptions() == 4; }));
  WebSocketClient first = Connect();
  WebSocketClient second = Connect();
  first.SendText(Say("broadcast", "life goes on"));
  EXPECT_THAT(first.ReadText(), HasSubstr("life goes on"));
  EXPECT_THAT(second.ReadText(), HasSubstr("life goes on"));
}

}  // namespace
}  // namespace crier::testing
