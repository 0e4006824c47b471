// What k6 does to a server (docs/architecture.md, "What k6 does to a server").
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "tests/support/sanitized.h"
#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;

// Of a sleeping virtual user's kernel, so that it is soon full.
constexpr int kSmallBuffer = 8 << 10;

class WebSocketK6Test : public WebSocketServerTest {
 protected:
  WebSocketClient ConnectSleeper() {
    return Connect({.target = "/ws", .headers = {}, .receive_buffer = kSmallBuffer});
  }
};

// k6's sleep() stops a user's reading: no message is taken and no pong is sent, while broadcasts of
// its own go on.
TEST_F(WebSocketK6Test, AUserThatSendsAndNeverReadsIsAlive) {
  use_fake_clock = true;
  engine_options.topic_log.bytes = 256 << 10;
  Start();
  WebSocketClient sleeper = ConnectSleeper();
  WebSocketClient reader = Connect();
  const std::string body(2000, 'b');
  size_t memory_when_full = 0;
  for (int i = 0; i < 107; ++i) {  // 75 s, one message in 0.7 s
    ASSERT_TRUE(sleeper.SendText(Say("broadcast", body)));
    ASSERT_THAT(reader.ReadText(), HasSubstr(body));
    // Others' messages, so that the kernel of the sleeper fills up.
    for (int j = 0; j < 20; ++j) {
      reader.SendText(Say("broadcast", body));
      ASSERT_THAT(reader.ReadText(), HasSubstr(body));
    }
    PassTime(700ms, 700ms);
    if (LaggingCount() == 1 && memory_when_full == 0 && i > 30) {
      memory_when_full = ::mallinfo2().uordblks;
    }
  }
  EXPECT_EQ(LaggingCount(), 1) << "the sleeper's kernel was to be full";
  EXPECT_EQ(ConnectionCount(), 2);
  EXPECT_EQ(EndedCount(Outcome::kIdleTimeout), 0);
  ASSERT_TRUE(memory_when_full > 0 || kSanitized);
  EXPECT_LT(::mallinfo2().uordblks, memory_when_full + (512 << 10))
      << "what it is owed waits in the topic's log and nowhere else";

  // It wakes up and gets the events that its kernel held, then a gap, then the newest event.
  bool gap = false;
  int64_t last = 0;
  for (;;) {
    const std::string text = sleeper.ReadText(500ms);
    if (text.empty()) break;
    if (text.find(R"("action_type":"gap")") != std::string::npos) {
      EXPECT_FALSE(gap);
      gap = true;
      const std::string range = text.substr(text.find(R"("body":")") + 8);
      EXPECT_EQ(std::stoll(range), last + 1);
      last = std::stoll(range.substr(range.find('-') + 1));
      EXPECT_THAT(text, HasSubstr(R"("data":"SLOW_CONSUMER")"));
    } else {
      const int64_t offset = std::stoll(text.substr(text.find(R"("offset":)") + 9));
      EXPECT_EQ(offset, last + 1);
      last = offset;
    }
  }
  EXPECT_TRUE(gap);
  EXPECT_EQ(last, 107 * 21) << "every broadcast was delivered or named as missing";
  EXPECT_EQ(ClosedErrors(), 0);
}

// socket.close() sends a close frame and closes at once with megabytes unread: the kernel answers
// with a reset.
TEST_F(WebSocketK6Test, ACloseFrameFollowedByAResetIsAGoodbye) {
  Start();
  WebSocketClient sender = Connect();
  constexpr int kRounds = 20, kUsers = 10;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<WebSocketClient> users;
    for (int i = 0; i < kUsers; ++i) users.push_back(ConnectSleeper());
    for (int i = 0; i < 50; ++i) sender.SendText(Say("broadcast", std::string(4000, 'x')));
    for (int i = 0; i < 50; ++i) ASSERT_THAT(sender.ReadText(), HasSubstr("broadcast"));
    for (WebSocketClient& user : users) {
      user.SendClose(1000);
      user.Drop();  // with data unread: a reset
      sender.SendText(Say("broadcast", "under way"));
    }
    for (int i = 0; i < kUsers; ++i) ASSERT_THAT(sender.ReadText(), HasSubstr("under way"));
    ASSERT_TRUE(Eventually([&] { return ConnectionCount() == 1; }));
  }
  EXPECT_EQ(EndedCount(Outcome::kOk), kRounds * kUsers);
  EXPECT_EQ(EndedCount(Outcome::kConnectionLost), 0);
  EXPECT_EQ(ClosedErrors(), 0);
}

TEST_F(WebSocketK6Test, AResetWithoutACloseFrameIsAnError) {
  Start();
  WebSocketClient user = Connect();
  user.Reset();
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kConnectionLost) == 1; }));
  EXPECT_EQ(ClosedErrors(), 1);
  EXPECT_EQ(ConnectionCount(), 0);
}

TEST_F(WebSocketK6Test, SevenHundredAndFiftyUsersComeAndGoWithinASecond) {
  Start();
  constexpr int kUsers = 750;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<WebSocketClient> users;
  users.reserve(kUsers);
  for (int i = 0; i < kUsers; ++i) {
    users.push_back(Connect());
    users.back().SendText(Say("direct", std::to_string(i)));
  }
  for (int i = 0; i < kUsers; ++i) {
    ASSERT_THAT(users[static_cast<size_t>(i)].ReadText(), HasSubstr('"' + std::to_string(i) + '"'));
  }
  EXPECT_EQ(ConnectionCount(), kUsers);
  for (WebSocketClient& user : users) {
    user.SendClose(1000);
    user.Drop();
  }
  EXPECT_TRUE(Eventually([&] { return ConnectionCount() == 0; }));
  EXPECT_EQ(AcceptedCount(), kUsers);
  EXPECT_EQ(EndedCount(Outcome::kOk), kUsers);
  EXPECT_EQ(ClosedErrors(), 0);
  RecordProperty("milliseconds",
                 static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                      std::chrono::steady_clock::now() - begin)
                                      .count()));
}

}  // namespace
}  // namespace crier::testing
