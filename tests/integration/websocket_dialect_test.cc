// The plain dialect over real sockets (docs/protocol.md, "Plain dialect").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class WebSocketDialectTest : public WebSocketServerTest {
 protected:
  void SetUp() override { Start(); }

  // What `client` gets back for `text`.
  static std::string Ask(WebSocketClient& client, std::string_view text) {
    client.SendText(text);
    return client.ReadText();
  }
};

TEST_F(WebSocketDialectTest, NothingIsSentBeforeTheClientSpeaks) {
  WebSocketClient client = Connect();
  EXPECT_TRUE(client.StaysSilent(200ms));
}

TEST_F(WebSocketDialectTest, ADirectMessageComesBackStamped) {
  WebSocketClient client = Connect();
  EXPECT_THAT(Ask(client, R"({"user_id":"7","action_type":"direct","body":"1713910000000"})"),
              MatchesRegex(R"re(\{"user_id":"7","action_type":"direct","body":"1713910000000",)re"
                           R"re("data":"[0-9]{19}"\})re"));
}

TEST_F(WebSocketDialectTest, ABroadcastReachesEveryoneItsSenderIncluded) {
  WebSocketClient one = Connect(), two = Connect(), three = Connect();
  two.SendText(R"({"user_id":7,"action_type":"broadcast","body":"hello"})");
  const std::string received = one.ReadText();
  EXPECT_THAT(
      received,
      StartsWith(R"({"user_id":"7","action_type":"broadcast","body":"hello","data":"crier/)"));
  EXPECT_THAT(received, HasSubstr(R"("offset":1)"));
  EXPECT_THAT(received, HasSubstr(R"("epoch":)"));
  EXPECT_EQ(two.ReadText(), received);
  EXPECT_EQ(three.ReadText(), received);
}

TEST_F(WebSocketDialectTest, TheDataOfABroadcastIsItsSendersWhereItGaveSome) {
  WebSocketClient client = Connect();
  EXPECT_THAT(Ask(client, Say("broadcast", "b", R"("data":"mine")")),
              StartsWith(R"({"user_id":null,"action_type":"broadcast","body":"b","data":"mine")"));
}

TEST_F(WebSocketDialectTest, PingAndPongAreAnswered) {
  WebSocketClient client = Connect();
  EXPECT_THAT(Ask(client, R"({"action_type":"ping"})"),
              HasSubstr(R"("action_type":"ping","body":null,"data":"pong")"));
  EXPECT_THAT(Ask(client, R"({"action_type":"pong"})"),
              HasSubstr(R"("action_type":"pong","body":null,"data":"ping")"));
}

TEST_F(WebSocketDialectTest, ActionsMayBeInCapitals) {
  WebSocketClient client = Connect();
  EXPECT_THAT(Ask(client, Say("DIRECT", "a")), HasSubstr(R"("action_type":"direct","body":"a")"));
  EXPECT_THAT(Ask(client, Say("Direct", "b")), HasSubstr(R"("action_type":"direct","body":"b")"));
}

TEST_F(WebSocketDialectTest, ADirectMessageToAUserReachesItsSessions) {
  WebSocketClient sender = ConnectAs("anna");
  WebSocketClient first = ConnectAs("bert%20b"), second = ConnectAs("bert%20b");
  sender.SendText(Say("direct", "psst", R"("to":"bert b")"));
  for (WebSocketClient* client : {&first, &second}) {
    EXPECT_THAT(client->ReadText(),
                StartsWith(R"({"user_id":"anna","action_type":"direct","body":"psst","data":")"));
  }
  EXPECT_TRUE(sender.StaysSilent(100ms));
}

TEST_F(WebSocketDialectTest, TheFirstUserIdThatASessionSendsIsItsUser) {
  WebSocketClient receiver = Connect(), sender = Connect();
  Ask(receiver, R"({"action_type":"ping","user_id":"carl"})");
  Ask(receiver, R"({"action_type":"ping","user_id":"someone else"})");
  sender.SendText(Say("direct", "x", R"("to":"carl")"));
  EXPECT_THAT(receiver.ReadText(), HasSubstr(R"("body":"x")"));
}

TEST_F(WebSocketDialectTest, ADirectMessageToNobodyIsAnError) {
  WebSocketClient client = Connect();
  EXPECT_THAT(Ask(client, Say("direct", "x", R"("to":"nobody")")),
              HasSubstr(R"("data":"NO_RECIPIENT")"));
}

TEST_F(WebSocketDialectTest, ATopicReachesThoseWhoFollowIt) {
  WebSocketClient follower = Connect(), other = Connect();
  EXPECT_THAT(Ask(follower, R"({"action_type":"subscribe","topic":"news","id":"s1"})"),
              HasSubstr(R"("id":"s1")"));
  other.SendText(Say("broadcast", "extra", R"("topic":"news","id":"m1")"));
  const std::string received = follower.ReadText();
  EXPECT_THAT(received, HasSubstr(R"("body":"extra")"));
  EXPECT_THAT(received, HasSubstr(R"("topic":"news","offset":1,"epoch":)"));
  // The sender follows it not, so the ack is all that it gets.
  EXPECT_THAT(other.ReadText(), HasSubstr(R"("id":"m1")"));
  EXPECT_TRUE(other.StaysSilent(100ms));

  EXPECT_THAT(Ask(follower, R"({"action_type":"unsubscribe","topic":"news","id":"u1"})"),
              HasSubstr(R"("id":"u1")"));
  other.SendText(Say("broadcast", "late", R"("topic":"news")"));
  EXPECT_TRUE(follower.StaysSilent(100ms));
}

TEST_F(WebSocketDialectTest, PresenceNamesWhoFollows) {
  WebSocketClient client = ConnectAs("dora");
  Ask(client, R"({"action_type":"subscribe","topic":"t","id":"1"})");
  EXPECT_THAT(Ask(client, R"({"action_type":"presence","topic":"t","id":"2"})"), HasSubstr("dora"));
}

TEST_F(WebSocketDialectTest, WhatIsWrongIsSaidAndTheSessionGoesOn) {
  WebSocketClient client = Connect();
  const std::vector<std::string> wrong = {
      "not json",
      "",
      "[]",
      R"({"body":"x"})",
      R"({"action_type":5,"body":"x"})",
      R"({"action_type":"shout","body":"x"})",
      R"({"action_type":"direct"})",
      R"({"action_type":"broadcast","body":17})",
  };
  for (const std::string& text : wrong) {
    EXPECT_THAT(Ask(client, text),
                MatchesRegex(R"re(\{"user_id":null,"action_type":"error","body":".+",)re"
                             R"re("data":"INVALID_MESSAGE".*)re"))
        << text;
  }
  EXPECT_EQ(Received(ActionKind::kInvalid), static_cast<int64_t>(wrong.size()));
  EXPECT_THAT(Ask(client, Say("direct", "still here")), HasSubstr("still here"));
}

TEST_F(WebSocketDialectTest, ABodyOverTheLimitIsRefusedAndTheSessionGoesOn) {
  WebSocketClient client = Connect();
  EXPECT_THAT(Ask(client, Say("broadcast", std::string((64 << 10) + 1, 'x'))),
              HasSubstr(R"("data":"MESSAGE_TOO_BIG")"));
  const std::string most(64 << 10, 'x');
  EXPECT_THAT(Ask(client, Say("direct", most)), HasSubstr(most));
}

TEST_F(WebSocketDialectTest, TheLargestBodyMayBeAllEscapes) {
  WebSocketClient client = Connect();
  std::string escaped, most(64 << 10, '"');
  for (size_t i = 0; i < most.size(); ++i) escaped += "\\\"";
  EXPECT_THAT(Ask(client, Say("direct", escaped)), HasSubstr(escaped));
}

TEST_F(WebSocketDialectTest, ABinaryMessageIsUnsupported) {
  WebSocketClient client = Connect();
  client.SendFrame(kBinary, Say("direct", "x"));
  EXPECT_THAT(client.ReadText(), HasSubstr(R"("data":"UNSUPPORTED_DATA")"));
  EXPECT_THAT(Ask(client, Say("direct", "y")), HasSubstr(R"("body":"y")"));
}

TEST_F(WebSocketDialectTest, AMessageMayComeInFragmentsAndPieces) {
  WebSocketClient client = Connect();
  const std::string text = Say("direct", std::string(10'000, 'z'));
  client.SendFrame(kText, text.substr(0, 10), /*fin=*/false);
  client.SendFrame(kPing, "between");
  client.SendFrame(kContinuation, "", /*fin=*/false);
  const std::string rest = WebSocketClient::MaskedFrame(kContinuation, text.substr(10));
  client.SendRaw(rest.substr(0, 3));
  const auto pong = client.ReadFrame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode, kPong);
  EXPECT_EQ(pong->payload, "between");
  client.SendRaw(rest.substr(3, 5000));
  client.SendRaw(rest.substr(5003));
  EXPECT_THAT(client.ReadText(), HasSubstr(std::string(10'000, 'z')));
}

TEST_F(WebSocketDialectTest, ManyMessagesInOnePieceAreAnsweredInOrder) {
  WebSocketClient client = Connect();
  std::string all;
  for (int i = 0; i < 500; ++i) {
    all += WebSocketClient::MaskedFrame(kText, Say("direct", std::to_string(i)));
  }
  client.SendRaw(all);
  for (int i = 0; i < 500; ++i) {
    ASSERT_THAT(client.ReadText(), HasSubstr(R"("body":")" + std::to_string(i) + '"'));
  }
}

TEST_F(WebSocketDialectTest, WhatComesWithTheHandshakeIsNotLost) {
  WebSocketClient client(address());
  client.SendRaw(WebSocketClient::UpgradeRequest(address(), {}) +
                 WebSocketClient::MaskedFrame(kText, Say("direct", "early")) +
                 WebSocketClient::MaskedFrame(kText, Say("direct", "second")));
  ASSERT_TRUE(client.ReadResponseHeader());
  EXPECT_EQ(client.status(), 101);
  EXPECT_THAT(client.ReadText(), HasSubstr("early"));
  EXPECT_THAT(client.ReadText(), HasSubstr("second"));
}

TEST_F(WebSocketDialectTest, TheSameIdIsPublishedOnce) {
  WebSocketClient client = ConnectAs("emil"), other = Connect();
  const std::string message = Say("broadcast", "once", R"("id":"m1")");
  client.SendText(message);
  client.SendText(message);
  EXPECT_THAT(other.ReadText(), HasSubstr("once"));
  EXPECT_TRUE(other.StaysSilent(200ms));
}

TEST_F(WebSocketDialectTest, AClosingHandshakeIsAnswered) {
  WebSocketClient client = Connect();
  const auto answer = client.CloseNicely();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->close_code(), 1000);
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kOk) == 1; }));
  EXPECT_EQ(ClosedErrors(), 0);
  EXPECT_EQ(ConnectionCount(), 0);
}

}  // namespace
}  // namespace crier::testing
