// How a session is read: mostly without Beast, and to its client the same whoever reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;

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
  static std::string Numbered(int i) { return "message " + std::to_string(i); }
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
  // More than there are spare streams.
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

}  // namespace
}  // namespace crier::testing
