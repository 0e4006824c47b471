// Reading a session, and not reading it while its answers are unread.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/support/message_deflate.h"
#include "tests/support/sanitized.h"
#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Numbered(int i) { return "message " + std::to_string(i); }

class WebSocketReadingTest : public WebSocketServerTest {
 protected:
  void SetUp() override { Start(); }

  static std::string Direct(const std::string& body) {
    return WebSocketClient::MaskedFrame(kText, Say("direct", body));
  }
  static void ExpectAnswers(WebSocketClient* client, int from, int to) {
    for (int i = from; i < to; ++i) {
      EXPECT_THAT(client->ReadText(), HasSubstr("\"message " + std::to_string(i) + "\""));
    }
  }
};

TEST_F(WebSocketReadingTest, EveryByteMayComeByItself) {
  WebSocketClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    for (const char byte : Direct(Numbered(i))) ASSERT_TRUE(client.SendRaw({&byte, 1}));
    ExpectAnswers(&client, i, i + 1);
  }
}

TEST_F(WebSocketReadingTest, MoreThanOneReadsWorthIsAnsweredInOrder) {
  WebSocketClient client = Connect();
  std::string all;
  for (int i = 0; i < 1000; ++i) all += Direct(Numbered(i));
  ASSERT_GT(all.size(), 32u << 10);
  ASSERT_TRUE(client.SendRaw(all));
  ExpectAnswers(&client, 0, 1000);
}

TEST_F(WebSocketReadingTest, MoreThanOneReadsWorthMayComeWithTheHandshake) {
  WebSocketClient client(address());
  std::string all = WebSocketClient::UpgradeRequest(address(), {});
  for (int i = 0; i < 1000; ++i) all += Direct(Numbered(i));
  ASSERT_TRUE(client.SendRaw(all));
  ASSERT_TRUE(client.ReadResponseHeader());
  ExpectAnswers(&client, 0, 1000);
}

TEST_F(WebSocketReadingTest, MessagesOfAnyLengthAreTaken) {
  WebSocketClient client = Connect();
  for (const size_t length : {10, 4000, 16000, 17000, 60000, 10}) {
    const std::string body(length, 'b');
    ASSERT_TRUE(client.SendText(Say("direct", body)));
    EXPECT_THAT(client.ReadText(), HasSubstr('"' + body + '"')) << length;
  }
}

TEST_F(WebSocketReadingTest, FragmentsComeBetweenWholeMessagesInOnePiece) {
  WebSocketClient client = Connect();
  const std::string text = Say("direct", Numbered(1));
  ASSERT_TRUE(client.SendRaw(
      Direct(Numbered(0)) + WebSocketClient::MaskedFrame(kText, text.substr(0, 9), /*fin=*/false) +
      WebSocketClient::MaskedFrame(kPing, "inside") +
      WebSocketClient::MaskedFrame(kContinuation, text.substr(9)) + Direct(Numbered(2))));
  ExpectAnswers(&client, 0, 3);
  ASSERT_TRUE(client.SendRaw(Direct(Numbered(3))));
  ExpectAnswers(&client, 3, 4);
}

TEST_F(WebSocketReadingTest, APingIsAnsweredWithItsPayload) {
  WebSocketClient client = Connect();
  for (const std::string& payload :
       {std::string(), std::string(125, 'p'), std::string("\xFF\x00", 2)}) {
    ASSERT_TRUE(client.SendFrame(kPing, payload));
    const auto pong = client.ReadFrame();
    ASSERT_TRUE(pong);
    EXPECT_EQ(pong->opcode, kPong);
    EXPECT_EQ(pong->payload, payload);
  }
  ASSERT_TRUE(client.SendFrame(kPong, "nobody asked"));
  ASSERT_TRUE(client.SendRaw(Direct(Numbered(0))));
  ExpectAnswers(&client, 0, 1);
}

TEST_F(WebSocketReadingTest, WhatCannotBecomeATextIsRefusedBeforeItsRestHasCome) {
  WebSocketClient client = Connect();
  const std::string frame = WebSocketClient::MaskedFrame(kText, "wrong \xFF and so on");
  ASSERT_TRUE(client.SendRaw(Direct(Numbered(0)) + frame.substr(0, frame.size() - 3)));
  const auto close = client.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1007);
  client.Drop();
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kInvalidUtf8) == 1; }));
}

TEST_F(WebSocketReadingTest, ATextMayBeCutInsideACharacter) {
  WebSocketClient client = Connect();
  const std::string body = "gr\xC3\xBC\xC3\x9F dich";
  const std::string frame = WebSocketClient::MaskedFrame(kText, Say("direct", body));
  for (const char byte : frame) ASSERT_TRUE(client.SendRaw({&byte, 1}));
  EXPECT_THAT(client.ReadText(), HasSubstr(body));
}

TEST_F(WebSocketReadingTest, ACloseInsideACutFrameIsWaitedOut) {
  WebSocketClient client = Connect();
  const std::string frame = Direct(Numbered(0));
  ASSERT_TRUE(client.SendRaw(Direct(Numbered(7)) + frame.substr(0, 5)));
  ExpectAnswers(&client, 7, 8);
  std::thread stopping([&] { server().Stop(); });
  const auto close = client.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), Info(Outcome::kShutdown).close_code);
  // The rest of the frame, and then the answer.
  ASSERT_TRUE(client.SendRaw(frame.substr(5)));
  ASSERT_TRUE(client.SendClose());
  EXPECT_TRUE(client.WaitForEnd());
  stopping.join();
  EXPECT_EQ(ConnectionCount(), 0);
  EXPECT_EQ(ClosedErrors(), 0);
}

TEST_F(WebSocketReadingTest, AnEndInsideACutFrameIsALoss) {
  WebSocketClient client = Connect();
  ASSERT_TRUE(client.SendRaw(Direct(Numbered(0)).substr(0, 5)));
  client.Drop();
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kConnectionLost) == 1; }));
}

TEST_F(WebSocketReadingTest, ManyCloseAtOnce) {
  std::vector<WebSocketClient> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(Connect());
  for (WebSocketClient& client : clients) ASSERT_TRUE(client.SendClose(1001, "going"));
  for (WebSocketClient& client : clients) {
    const auto close = client.ReadClose();
    ASSERT_TRUE(close);
    EXPECT_EQ(close->close_code(), 1001);
    EXPECT_TRUE(client.WaitForEnd());
  }
  EXPECT_TRUE(Eventually([&] { return ConnectionCount() == 0; }));
  EXPECT_EQ(ClosedErrors(), 0);
}

// --- Clients that send and do not read the answers: nothing more is read of them until they do.

// GetParam: with permessage-deflate.
class UnreadAnswersTest : public WebSocketServerTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override { websocket_options.compression = GetParam(); }

  // Its kernel takes little, so that the server's is soon full.
  WebSocketClient ConnectIdler(const std::string& extension = "permessage-deflate") {
    WebSocketClient::Options options{.target = "/ws", .headers = {}, .receive_buffer = 32 << 10};
    if (GetParam()) options.headers = {{"Sec-WebSocket-Extensions", extension}};
    return Connect(options);
  }
  // To oneself, with an id: answered with an echo and an ack.
  std::string NumberedDirect(int i) {
    const std::string number = std::to_string(i);
    const std::string text = Say("direct", "message " + number, R"("id":")" + number + '"');
    return GetParam()
               ? WebSocketClient::MaskedFrame(kText, deflate_.Deflated(text), true, /*rsv=*/4)
               : WebSocketClient::MaskedFrame(kText, text);
  }
  std::string NumberedDirects(int from, int to) {
    std::string all;
    for (int i = from; i < to; ++i) all += NumberedDirect(i);
    return all;
  }
  // The next text message; pings are passed over.
  std::string ReadText(WebSocketClient* client) {
    while (const auto frame = client->ReadFrame()) {
      if (frame->opcode == kText) {
        return frame->rsv1 ? deflate_.Inflated(frame->payload) : frame->payload;
      }
      if (frame->opcode == kClose) break;
    }
    return {};
  }
  // Expects one echo and one ack of each, in order, and nothing else in between.
  void ExpectEachAnswered(WebSocketClient* client, int from, int to) {
    for (int i = from; i < to; ++i) {
      const std::string number = std::to_string(i);
      const std::string echo = ReadText(client);
      ASSERT_THAT(echo, HasSubstr(R"("body":"message )" + number + '"'));
      ASSERT_THAT(echo, HasSubstr(R"("id":")" + number + '"'));
      const std::string ack = ReadText(client);
      ASSERT_THAT(ack, HasSubstr(R"("action_type":"ack")"));
      ASSERT_THAT(ack, HasSubstr(R"("id":")" + number + '"'));
      ASSERT_THAT(ack, Not(HasSubstr("duplicate")));
    }
  }

  // The server has taken nothing of what the client sends for a while.
  static void AwaitStandstill(const WebSocketClient& client) {
    int unsent = 0, before = -1;
    ASSERT_TRUE(Eventually([&] {
      before = unsent;
      pollfd nothing{.fd = -1, .events = 0, .revents = 0};
      ::poll(&nothing, 1, 200);
      return ::ioctl(client.fd(), SIOCOUTQ, &unsent) == 0 && unsent > 0 && unsent == before;
    }));
  }
  // All that the client has sent has arrived in the server's kernel.
  static bool Arrived(const WebSocketClient& client) {
    return Eventually([&] {
      int unsent = 1;
      return ::ioctl(client.fd(), SIOCOUTQ, &unsent) == 0 && unsent == 0;
    });
  }

  // A client whose reading is paused, with messages unread that have all arrived: so many.
  static constexpr int kSent = 1200;
  WebSocketClient ConnectHeld() {
    engine_options.mailbox.bytes = 16 << 10;
    Start();
    // With this one the answers come as they are, so that they are as many bytes as without.
    WebSocketClient client = ConnectIdler("permessage-deflate; server_max_window_bits=10");
    EXPECT_TRUE(client.SendRaw(NumberedDirects(0, kSent)));
    EXPECT_TRUE(Arrived(client));
    EXPECT_TRUE(Eventually([&] { return LaggingCount() == 1; }));
    // Until no more of it is handled.
    for (int64_t before = -1; before != Received(ActionKind::kDirect);) {
      before = Received(ActionKind::kDirect);
      for (int turn = 0; turn < 20; ++turn) OnEveryShard([](size_t) {});
    }
    EXPECT_LT(Received(ActionKind::kDirect), kSent - 100);
    return client;
  }

  MessageDeflate deflate_;
};
INSTANTIATE_TEST_SUITE_P(Readers, UnreadAnswersTest, ::testing::Bool(),
                         [](const auto& of) { return of.param ? "Deflate" : "Plain"; });

TEST_P(UnreadAnswersTest, AreBoundedAndNoneIsLost) {
  const int messages = kSanitized || GetParam() ? 20'000 : 200'000;
  Start();
  WebSocketClient client = ConnectIdler();
  const std::string all = NumberedDirects(0, messages);
  const size_t memory = ::mallinfo2().uordblks;
  std::thread sending([&] { EXPECT_TRUE(client.SendRaw(all)); });
  AwaitStandstill(client);
  EXPECT_LT(Received(ActionKind::kDirect), 10'000);
  // Its mailbox, and the ids that are remembered; all else waits in the kernels.
  EXPECT_TRUE(kSanitized || ::mallinfo2().uordblks < memory + (4 << 20))
      << ::mallinfo2().uordblks - memory;
  ExpectEachAnswered(&client, 0, messages);
  if (HasFailure()) client.Drop();
  sending.join();
  EXPECT_EQ(Received(ActionKind::kDirect), messages);
  EXPECT_TRUE(client.SendRaw(NumberedDirect(messages)));
  ExpectEachAnswered(&client, messages, messages + 1);
}

TEST_P(UnreadAnswersTest, WaitForWhoGoesOnReading) {
  WebSocketClient client = ConnectHeld();
  ExpectEachAnswered(&client, 0, kSent);
  EXPECT_EQ(Received(ActionKind::kDirect), kSent);
  EXPECT_TRUE(client.CloseNicely());
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kOk) == 1; }));
}

TEST_P(UnreadAnswersTest, DisturbNobodyElse) {
  shards = 1;
  WebSocketClient held = ConnectHeld();
  WebSocketClient other = Connect();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(other.SendText(Say("broadcast", Numbered(i))));
    ASSERT_THAT(other.ReadText(), HasSubstr('"' + Numbered(i) + '"'));
  }
}

// Whatever it sent lies before its close frame, and was sent.
TEST_P(UnreadAnswersTest, OfAClientThatGoesAreNoReasonToLeaveItsMessages) {
  WebSocketClient client = ConnectHeld();
  ASSERT_TRUE(client.SendClose(1000));
  ASSERT_TRUE(Arrived(client));
  client.Drop();  // with answers unread: a reset
  EXPECT_TRUE(Eventually([&] { return ConnectionCount() == 0; }));
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kOk) == 1; }));
  EXPECT_EQ(ClosedErrors(), 0);
  EXPECT_EQ(Received(ActionKind::kDirect), kSent);
}

TEST_P(UnreadAnswersTest, DoNotHideThatTheConnectionIsLost) {
  WebSocketClient client = ConnectHeld();
  client.Reset();
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kConnectionLost) == 1; }));
  EXPECT_EQ(ClosedErrors(), 1);
}

TEST_P(UnreadAnswersTest, AreNoIdleness) {
  use_fake_clock = true;
  WebSocketClient client = ConnectHeld();
  PassTime(300s);
  EXPECT_EQ(ConnectionCount(), 1);
  ExpectEachAnswered(&client, 0, kSent);
  EXPECT_EQ(EndedCount(Outcome::kIdleTimeout), 0);
  // With nothing unread it is as silent as any other. Whether the last answers have arrived is the
  // kernel's to say, which knows nothing of the time that passes here.
  EXPECT_TRUE(Eventually([&] {
    PassTime(1s);
    return EndedCount(Outcome::kIdleTimeout) == 1;
  }));
}

TEST_P(UnreadAnswersTest, DoNotKeepTheServerFromStopping) {
  WebSocketClient client = ConnectHeld();
  std::thread stopping([&] { server().Stop(); });
  const auto close = client.ReadClose();
  EXPECT_TRUE(close);
  if (close) {
    EXPECT_EQ(close->close_code(), Info(Outcome::kShutdown).close_code);
  }
  EXPECT_TRUE(client.SendClose(1001));
  EXPECT_TRUE(client.WaitForEnd());
  stopping.join();
  EXPECT_EQ(ConnectionCount(), 0);
  EXPECT_EQ(ClosedErrors(), 0);
}

TEST_P(UnreadAnswersTest, DoNotKeepTheServerFromCuttingItOff) {
  websocket_options.close_timeout = 300ms;
  WebSocketClient client = ConnectHeld();
  server().Stop();
  EXPECT_EQ(ConnectionCount(), 0);
  EXPECT_EQ(EndedCount(Outcome::kShutdown), 1);
}

}  // namespace
}  // namespace crier::testing
