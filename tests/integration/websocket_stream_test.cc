// The write side of a WebSocket, rule by rule (server/websocket/frame_stream.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;

// With a burst's sends submitted together, and with each by itself.
class WebSocketStreamTest : public WebSocketServerTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override { websocket_options.io_uring = GetParam(); }

  WebSocketClient ConnectSlow() {
    return Connect({.target = "/ws", .headers = {}, .receive_buffer = 8 << 10});
  }
  // Broadcasts until the kernel takes no more for some session. Returns how many that took.
  int FillKernel(WebSocketClient& sender, size_t body_size) {
    int sent = 0;
    while (LaggingCount() == 0 && sent < 20'000) {
      sender.SendText(Say("broadcast", std::string(body_size, 'x')));
      if (sender.ReadText().empty()) ADD_FAILURE() << "no answer to broadcast " << sent;
      ++sent;
    }
    EXPECT_EQ(LaggingCount(), 1);
    return sent;
  }
};

TEST_P(WebSocketStreamTest, ABurstLeavesInFewWrites) {
  shards = 1;
  Start();
  WebSocketClient client = Connect();
  std::string burst;
  for (int i = 0; i < 1000; ++i) burst += WebSocketClient::MaskedFrame(kText, Say("direct", "x"));
  const int64_t before = Writes();
  client.SendRaw(burst);
  for (int i = 0; i < 1000; ++i) ASSERT_THAT(client.ReadText(), HasSubstr("direct"));
  EXPECT_LT(Writes() - before, 500);
}

TEST_P(WebSocketStreamTest, APingOvertakesQueuedDataButNeverCutsAFrame) {
  use_fake_clock = true;
  engine_options.topic_log.bytes = 4 << 20;
  Start();
  WebSocketClient slow = ConnectSlow(), sender = Connect();
  // Large frames, so that one is cut.
  int sent = FillKernel(sender, 60'000);
  for (int i = 0; i < 20; ++i, ++sent) {
    sender.SendText(Say("broadcast", std::string(60'000, 'y')));
    sender.ReadText();
  }
  slow.SendFrame(kPing, "first");
  slow.SendFrame(kPing, "second");
  slow.SendText(Say("direct", "read to here"));
  ASSERT_TRUE(Eventually([&] { return Received(ActionKind::kDirect) == 1; }))
      << "pongs that cannot leave must not stop the reading";

  int texts = 0, pong_at = -1;
  while (texts < sent + 1) {
    const auto frame = slow.ReadFrame();
    ASSERT_TRUE(frame) << texts;
    if (frame->opcode == kPong) {
      EXPECT_EQ(frame->payload, "second") << "the newest one is enough";
      EXPECT_EQ(pong_at, -1);
      pong_at = texts;
    } else {
      ASSERT_EQ(frame->opcode, kText);
      ASSERT_EQ(frame->payload.front(), '{');
      ASSERT_EQ(frame->payload.back(), '}');
      ++texts;
    }
  }
  EXPECT_GE(pong_at, 0);
  EXPECT_LT(pong_at, sent - 1) << "it went ahead of what was queued";
}

TEST_P(WebSocketStreamTest, FramesStayWholeHoweverTheKernelCutsThem) {
  engine_options.topic_log.bytes = 8 << 20;
  Start();
  WebSocketClient slow = ConnectSlow(), sender = Connect();
  constexpr int kMessages = 400;
  for (int i = 1; i <= kMessages; ++i) {
    sender.SendText(Say("broadcast", std::string(static_cast<size_t>(i) * 97 % 9000, 'z')));
    ASSERT_THAT(sender.ReadText(), HasSubstr("broadcast"));
  }
  for (int i = 1; i <= kMessages; ++i) {
    const std::string text = slow.ReadText();
    ASSERT_THAT(text, HasSubstr(R"("offset":)" + std::to_string(i) + ","));
    ASSERT_EQ(text.find('z') == std::string::npos ? 0 : text.rfind('z') - text.find('z') + 1,
              static_cast<size_t>(i) * 97 % 9000);
  }
}

TEST_P(WebSocketStreamTest, ACloseFrameIsTheLastFrame) {
  engine_options.topic_log.bytes = 4 << 20;
  Start();
  WebSocketClient slow = ConnectSlow(), sender = Connect();
  FillKernel(sender, 20'000);
  slow.SendClose(1000);
  for (int i = 0; i < 50; ++i) {
    sender.SendText(Say("broadcast", std::string(20'000, 'w')));
    sender.ReadText();
  }
  bool closed = false;
  while (const auto frame = slow.ReadFrame()) {
    ASSERT_FALSE(closed) << "a frame after the close frame";
    if (frame->opcode == kClose) {
      EXPECT_EQ(frame->close_code(), 1000);
      closed = true;
    } else {
      ASSERT_EQ(frame->payload.back(), '}') << "cut by the close frame";
    }
  }
  EXPECT_TRUE(closed);
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kOk) == 1; }));
  EXPECT_EQ(ClosedErrors(), 0);
}

TEST_P(WebSocketStreamTest, ABacklogWaitsInTheLogAndNotInTheKernel) {
  engine_options.topic_log.bytes = 8 << 20;
  Start();
  WebSocketClient slow = ConnectSlow(), sender = Connect();
  const int sent = FillKernel(sender, 1000);
  EXPECT_LT(sent, 400) << "TCP_NOTSENT_LOWAT holds the kernel's part down";
}

TEST_P(WebSocketStreamTest, AfterASendErrorWhatThePeerHadSentStillCounts) {
  Start();
  WebSocketClient sender = Connect();
  for (int i = 0; i < 50; ++i) {
    WebSocketClient leaver = ConnectSlow();
    sender.SendText(Say("broadcast", "unread"));
    sender.ReadText();
    // Something that is answered, a last broadcast and the goodbye, all before the reset.
    leaver.SendRaw(WebSocketClient::MaskedFrame(kPing, "are you there") +
                   WebSocketClient::MaskedFrame(kText, Say("broadcast", "last words")) +
                   WebSocketClient::MaskedFrame(kClose, std::string("\x03\xE8", 2)));
    leaver.Drop();
    ASSERT_THAT(sender.ReadText(), HasSubstr("last words"));
    ASSERT_TRUE(Eventually([&] { return EndedCount(Outcome::kOk) == i + 1; }));
  }
  EXPECT_EQ(ClosedErrors(), 0);
}

TEST_P(WebSocketStreamTest, AStoppedServerClosesWhoeverStillReads) {
  Start();
  std::vector<WebSocketClient> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(Connect());
  WebSocketClient slow = ConnectSlow();
  FillKernel(clients[0], 20'000);
  std::thread stopping([&] { server().Stop(); });
  for (WebSocketClient& client : clients) {
    const auto close = client.ReadClose();
    ASSERT_TRUE(close);
    EXPECT_EQ(close->close_code(), 1001);
    client.SendClose(1001);
  }
  stopping.join();
  EXPECT_EQ(ConnectionCount(), 0);
  EXPECT_EQ(EndedCount(Outcome::kShutdown), 51);
  EXPECT_EQ(ClosedErrors(), 1) << "the one that could not be told";
}

TEST_P(WebSocketStreamTest, SessionsThatComeAndGoUnderBroadcastsLeaveNothing) {
  Start();
  WebSocketClient sender = Connect();
  for (int round = 0; round < 30; ++round) {
    std::vector<WebSocketClient> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(Connect());
    sender.SendText(Say("broadcast", "hello"));
    for (size_t i = 0; i < clients.size(); ++i) {
      switch (i % 4) {
        case 0:
          clients[i].SendClose(1000);
          break;
        case 1:
          clients[i].Reset();
          break;
        case 2:
          clients[i].SendRaw("\x81");  // a frame that never comes
          clients[i].Drop();
          break;
        default:
          EXPECT_THAT(clients[i].ReadText(), HasSubstr("hello"));
          EXPECT_TRUE(clients[i].CloseNicely());
      }
    }
    EXPECT_THAT(sender.ReadText(), HasSubstr("hello"));
  }
  EXPECT_TRUE(Eventually([&] { return ConnectionCount() == 1; }));
}

INSTANTIATE_TEST_SUITE_P(, WebSocketStreamTest, ::testing::Bool(), [](const auto& test) {
  return std::string(test.param ? "Together" : "OneByOne");
});

}  // namespace
}  // namespace crier::testing
