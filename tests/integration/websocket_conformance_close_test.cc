// RFC 6455, sections 5.5.1 and 7: the closing handshake and its codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/conformance_fixture.h"

namespace crier::testing {
namespace {

using ::testing::StartsWith;

class WebSocketCloseConformanceTest : public ConformanceTest {
 protected:
  // The server repeats the code, sends nothing behind, and ends the connection by itself.
  static void ExpectAnswered(WebSocketClient& client, uint16_t code) {
    const auto frame = client.ReadFrame();
    ASSERT_TRUE(frame) << "nothing came";
    ASSERT_EQ(frame->opcode, kClose);
    EXPECT_EQ(frame->close_code(), code);
    EXPECT_FALSE(client.ReadFrame()) << "a frame behind the close frame";
    EXPECT_TRUE(client.WaitForEnd());
    EXPECT_FALSE(client.was_reset());
  }
};

TEST_F(WebSocketCloseConformanceTest, EveryCodeForTheWireIsAnswered) {
  for (const uint16_t code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
                              1014, 3000, 3999, 4000, 4999}) {
    SCOPED_TRACE(code);
    InEverySplit(Script().Close(code),
                 [code](WebSocketClient& client) { ExpectAnswered(client, code); });
    InEverySplit(Script().Close(code, "a reason"),
                 [code](WebSocketClient& client) { ExpectAnswered(client, code); });
  }
}

TEST_F(WebSocketCloseConformanceTest, EveryOtherCodeIsAnError) {
  for (const uint16_t code :
       {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32'768, 65'535}) {
    SCOPED_TRACE(code);
    ExpectFails(Script().Close(code), 1002);
    ExpectFails(Script().Close(code, "a reason"), 1002);
  }
}

TEST_F(WebSocketCloseConformanceTest, ACloseWithoutACodeIsAnsweredWithoutOne) {
  InEverySplit(Script().Frame(kClose, ""), [](WebSocketClient& client) {
    const auto frame = client.ReadFrame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, kClose);
    EXPECT_EQ(frame->payload, "");
    EXPECT_TRUE(client.WaitForEnd());
  });
}

TEST_F(WebSocketCloseConformanceTest, HalfACodeIsAnError) {
  ExpectFails(Script().Frame(kClose, "\x03"), 1002);
}

TEST_F(WebSocketCloseConformanceTest, AReasonIsUtf8AndMayFillTheFrame) {
  InEverySplit(Script().Close(1000, std::string(123, 'r')),
               [](WebSocketClient& client) { ExpectAnswered(client, 1000); });
  InEverySplit(Script().Close(1000, "\xE2\x98\xAE \xF0\x9F\x95\x8A"),
               [](WebSocketClient& client) { ExpectAnswered(client, 1000); });
  ExpectFails(Script().Close(1000, "\xCE\xBA\xED\xA0\x80"), 1007);
  ExpectFails(Script().Close(1000, "cut \xE2\x98"), 1007);
}

TEST_F(WebSocketCloseConformanceTest, WhatCameBeforeIsAnsweredAndNothingBehind) {
  WebSocketClient client = ConnectEcho();
  client.SendRaw(Script()
                     .Frame(kText, "before")
                     .Close(1000)
                     .Frame(kText, "behind")
                     .Frame(kPing, "behind")
                     .bytes());
  ExpectFrame(client, kText, "before");
  ExpectAnswered(client, 1000);
}

TEST_F(WebSocketCloseConformanceTest, ACloseMayComeInsideAMessage) {
  InEverySplit(Script().Frame(kText, "never whole", /*fin=*/false).Close(1001),
               [](WebSocketClient& client) { ExpectAnswered(client, 1001); });
}

TEST_F(WebSocketCloseConformanceTest, TheServersReasonSaysWhatIsWrong) {
  WebSocketClient client = ConnectEcho();
  client.SendRaw(std::string("\x81\x02hi", 4));
  const auto frame = client.ReadClose();
  ASSERT_TRUE(frame);
  EXPECT_THAT(frame->close_reason(), StartsWith("PROTOCOL_ERROR: a frame without a mask"));
}

// --- The server closes first: /ws, because /echo never does.

class WebSocketServerClosesTest : public WebSocketCloseConformanceTest {
 protected:
  // A client that the server has sent a close frame.
  WebSocketClient ConnectClosing() {
    WebSocketClient client = Connect();
    stopping_ = std::thread([this] { server().Stop(); });
    const auto close = client.ReadClose();
    EXPECT_TRUE(close);
    if (close) {
      EXPECT_EQ(close->close_code(), 1001);
    }
    return client;
  }
  void TearDown() override {
    if (stopping_.joinable()) stopping_.join();
    ConformanceTest::TearDown();
  }
  std::thread stopping_;
};

TEST_F(WebSocketServerClosesTest, ThePeersAnswerIsTheEnd) {
  WebSocketClient client = ConnectClosing();
  client.SendClose(1001);
  EXPECT_TRUE(client.WaitForEnd());
  EXPECT_FALSE(client.was_reset());
  stopping_.join();
  EXPECT_EQ(ClosedErrors(), 0);
}

TEST_F(WebSocketServerClosesTest, WhatIsStillOnItsWayIsPassedOver) {
  WebSocketClient client = ConnectClosing();
  client.SendRaw(Script()
                     .Frame(kText, Say("direct", "too late"))
                     .Frame(kBinary, std::string(40'000, 'b'), /*fin=*/false)
                     .Frame(kPing, "p")
                     .Frame(kContinuation, std::string(40'000, 'b'))
                     .Frame(kText, "\xFF")
                     .Close(4000)
                     .bytes());
  const auto frame = client.ReadFrame();
  EXPECT_FALSE(frame) << int{frame->opcode};
  EXPECT_TRUE(client.WaitForEnd());
  EXPECT_FALSE(client.was_reset());
}

TEST_F(WebSocketServerClosesTest, ABrokenFrameInPlaceOfTheAnswerIsTheEndToo) {
  WebSocketClient client = ConnectClosing();
  client.SendRaw(std::string("\x83\x80mask", 6));
  const auto frame = client.ReadFrame();
  EXPECT_FALSE(frame) << "a second close frame?";
  EXPECT_TRUE(client.WaitForEnd());
}

}  // namespace
}  // namespace crier::testing
