// Time and size limits of WebSocket sessions, and compression.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class WebSocketLimitsTest : public WebSocketServerTest {
 protected:
  // Expects that the server closes, with this code and outcome, without counting an error.
  void ExpectClosed(WebSocketClient& client, uint16_t code, Outcome outcome) {
    const auto close = client.ReadClose();
    ASSERT_TRUE(close);
    EXPECT_EQ(close->close_code(), code);
    client.SendClose(code);
    EXPECT_TRUE(client.WaitForEnd());
    client.Drop();
    EXPECT_TRUE(Eventually([&] { return EndedCount(outcome) == 1; })) << Info(outcome).name;
    EXPECT_EQ(ClosedErrors(), 0);
    EXPECT_EQ(ConnectionCount(), 0);
  }
};

// --- Time.

TEST_F(WebSocketLimitsTest, ASilentClientIsPingedAndThenLeft) {
  use_fake_clock = true;
  Start();
  WebSocketClient client = Connect();
  PassTime(24s);
  EXPECT_TRUE(client.StaysSilent(50ms));
  PassTime(2s);
  const auto ping = client.ReadFrame();
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->opcode, kPing);
  PassTime(8s);
  EXPECT_TRUE(client.StaysSilent(50ms));
  PassTime(3s);
  ExpectClosed(client, 4409, Outcome::kIdleTimeout);
}

TEST_F(WebSocketLimitsTest, APongKeepsAClient) {
  use_fake_clock = true;
  Start();
  WebSocketClient client = Connect();
  for (int i = 0; i < 4; ++i) {
    PassTime(27s);
    const auto ping = client.ReadFrame();
    ASSERT_TRUE(ping) << i;
    EXPECT_EQ(ping->opcode, kPing);
    client.SendFrame(kPong, ping->payload);
    client.SendText(Say("direct", "sync"));
    client.ReadText();
  }
  EXPECT_EQ(ConnectionCount(), 1);
}

// So that proxies which end silent connections sooner than a ping times out keep them.
TEST_F(WebSocketLimitsTest, TheIntervalOfPingsMayBeShorterThanTheirTimeout) {
  use_fake_clock = true;
  websocket_options.ping_interval = 2s;
  websocket_options.ping_timeout = 60s;
  websocket_options.idle_timeout = 100s;
  Start();
  WebSocketClient client = Connect();
  for (int i = 0; i < 5; ++i) {
    PassTime(3s);
    const auto ping = client.ReadFrame();
    ASSERT_TRUE(ping) << i;
    EXPECT_EQ(ping->opcode, kPing);
    client.SendFrame(kPong, ping->payload);
    client.SendText(Say("direct", "sync"));
    client.ReadText();
  }
}

TEST_F(WebSocketLimitsTest, AnyByteIsAnAnswer) {
  use_fake_clock = true;
  Start();
  WebSocketClient client = Connect();
  const std::string frame = WebSocketClient::MaskedFrame(kText, Say("direct", "slowly"));
  for (size_t i = 0; i < 8; ++i) {
    // One byte every 30 s; a ping lies in between each time.
    client.SendRaw(frame.substr(i, 1));
    PassTime(30s);
  }
  EXPECT_EQ(ConnectionCount(), 1);
  client.SendRaw(frame.substr(8));
  EXPECT_THAT(client.ReadText(), HasSubstr("slowly"));
}

TEST_F(WebSocketLimitsTest, WhoNeitherSendsNorTakesIsLeft) {
  use_fake_clock = true;
  Start();
  WebSocketClient stalled = Connect({.target = "/ws", .headers = {}, .receive_buffer = 8 << 10});
  WebSocketClient sender = Connect();
  for (int i = 0; LaggingCount() == 0; ++i) {
    ASSERT_LT(i, 5000);
    sender.SendText(Say("broadcast", std::string(4000, 'x')));
    ASSERT_THAT(sender.ReadText(), HasSubstr("broadcast"));
  }
  for (int i = 0; i < 45; ++i) {
    PassTime(1s);
    sender.SendText(Say("ping", ""));
    sender.ReadText();
  }
  // Its close frame cannot be sent, so it is cut off and counts as an error.
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kIdleTimeout) == 1; }));
  EXPECT_EQ(ConnectionCount(), 1);
  EXPECT_EQ(ClosedErrors(), 1);
}

// A ping waits behind everything that was sent before it, so a slow reader gets it late.
TEST_F(WebSocketLimitsTest, ASlowReaderIsKeptWhileItIsOnItsWayToThePing) {
  use_fake_clock = true;
  Start();
  WebSocketClient slow = Connect({.target = "/ws", .headers = {}, .receive_buffer = 8 << 10});
  WebSocketClient sender = Connect();
  constexpr int kMessages = 5;
  for (int i = 0; i < kMessages; ++i) {
    sender.SendText(Say("broadcast", std::string(4000, 'x')));
    ASSERT_THAT(sender.ReadText(), HasSubstr("broadcast"));
  }
  ASSERT_EQ(LaggingCount(), 0) << "the kernel took it all, and the ping goes behind it";
  sender.Drop();
  PassTime(26s);
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_THAT(slow.ReadText(), HasSubstr("broadcast")) << i;
    PassTime(4s);
    ASSERT_EQ(EndedCount(Outcome::kIdleTimeout), 0) << i;
  }
  const auto ping = slow.ReadFrame();
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->opcode, kPing);
  slow.SendFrame(kPong, ping->payload);
  PassTime(20s);
  EXPECT_EQ(ConnectionCount(), 1);
}

TEST_F(WebSocketLimitsTest, AClientThatDoesNotAnswerACloseIsCutOff) {
  use_fake_clock = true;
  Start();
  WebSocketClient client = Connect();
  client.SendText(std::string(10, '\xFF'));
  const auto close = client.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1007);
  PassTime(4s);
  EXPECT_EQ(ConnectionCount(), 1);
  PassTime(3s);
  EXPECT_TRUE(Eventually([&] { return ConnectionCount() == 0; }));
  EXPECT_TRUE(client.WaitForEnd());
  EXPECT_EQ(EndedCount(Outcome::kInvalidUtf8), 1);
  EXPECT_EQ(ClosedErrors(), 0) << "the server's close frame was sent";
}

TEST_F(WebSocketLimitsTest, ASilentConnectionRunsOutOfTime) {
  use_fake_clock = true;
  Start();
  WebSocketClient client(address());
  ASSERT_TRUE(Eventually([&] { return OpenConnections() == 1; }));
  PassTime(12s);
  EXPECT_TRUE(client.WaitForEnd());
}

// --- What ends a session.

TEST_F(WebSocketLimitsTest, AMessageOverTheTransportsLimitEndsTheSession) {
  Start();
  WebSocketClient client = Connect();
  std::thread sender([&] { client.SendText(std::string(7 * (64 << 10), 'x')); });
  ExpectClosed(client, 1009, Outcome::kMessageTooBig);
  sender.join();
}

// The limit is on the body, whatever its form.
TEST_F(WebSocketLimitsTest, ABodyWithinTheLimitIsTakenThoughEveryByteIsEscaped) {
  Start();
  std::string escaped;
  for (size_t i = 0; i < websocket_options.max_body_bytes; ++i) escaped += "\\u0041";
  WebSocketClient client = Connect();
  ASSERT_TRUE(client.SendText(Say("direct", escaped)));
  EXPECT_THAT(client.ReadText(), HasSubstr(std::string(websocket_options.max_body_bytes, 'A')));
  ASSERT_TRUE(client.SendText(Say("direct", escaped + "\\u0041")));
  EXPECT_THAT(client.ReadText(), HasSubstr("MESSAGE_TOO_BIG"));
  EXPECT_EQ(ConnectionCount(), 1);
}

TEST_F(WebSocketLimitsTest, ATooLongMessageInFragmentsEndsTheSession) {
  Start();
  WebSocketClient client = Connect();
  client.SendFrame(kText, std::string(250'000, 'x'), /*fin=*/false);
  client.SendFrame(kContinuation, std::string(250'000, 'x'));
  ExpectClosed(client, 1009, Outcome::kMessageTooBig);
}

TEST_F(WebSocketLimitsTest, TextThatIsNotUtf8EndsTheSession) {
  Start();
  WebSocketClient client = Connect();
  client.SendText("\xC3\x28");
  ExpectClosed(client, 1007, Outcome::kInvalidUtf8);
}

TEST_F(WebSocketLimitsTest, BrokenFramesEndTheSession) {
  const std::vector<std::string> broken = {
      std::string("\x81\x02hi", 4),                         // not masked
      WebSocketClient::MaskedFrame(0x3, "x"),               // a reserved opcode
      WebSocketClient::MaskedFrame(kText, "x", true, 0x4),  // RSV1 without an extension
      WebSocketClient::MaskedFrame(kContinuation, "x"),     // of nothing
      WebSocketClient::MaskedFrame(kPing, "x", false),      // a control frame in fragments
      WebSocketClient::MaskedFrame(kPing, std::string(126, 'x')),
      WebSocketClient::MaskedFrame(kClose, "x"),                         // half a code
      WebSocketClient::MaskedFrame(kClose, std::string("\x03\xEE", 2)),  // 1006 is not for the wire
  };
  Start();
  int64_t count = 0;
  for (const std::string& bytes : broken) {
    WebSocketClient client = Connect();
    client.SendRaw(bytes);
    const auto close = client.ReadClose();
    ASSERT_TRUE(close) << count;
    EXPECT_EQ(close->close_code(), 1002) << count;
    client.Drop();
    ++count;
    ASSERT_TRUE(Eventually([&] { return EndedCount(Outcome::kProtocolError) == count; })) << count;
  }
  EXPECT_EQ(ClosedErrors(), 0) << "the server's close frame was sent";
}

// --- Errors.

TEST_F(WebSocketLimitsTest, RepeatedAbuseEndsTheSession) {
  engine_options.max_errors = 20;
  Start();
  WebSocketClient client = Connect();
  for (int i = 0; i < 25; ++i) client.SendFrame(kBinary, "x");
  const auto close = client.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1003);
  EXPECT_THAT(close->close_reason(), StartsWith("UNSUPPORTED_DATA: "));
  EXPECT_LE(close->close_reason().size(), 123u);
  client.SendClose(1003);
  EXPECT_TRUE(client.WaitForEnd());
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kUnsupportedData) == 1; }));
}

TEST_F(WebSocketLimitsTest, TooManyMessagesPerSecondAreRefused) {
  engine_options.max_messages_per_second = 5;
  Start();
  WebSocketClient client = Connect();
  for (int i = 0; i < 10; ++i) client.SendText(Say("direct", "x"));
  for (int i = 0; i < 5; ++i) EXPECT_THAT(client.ReadText(), HasSubstr("direct"));
  EXPECT_THAT(client.ReadText(), HasSubstr("RATE_LIMITED"));
}

TEST_F(WebSocketLimitsTest, ASlowConsumerIsClosedWhereThePolicySaysSo) {
  engine_options.slow_consumer_policy = v1::CLOSE;
  engine_options.topic_log.bytes = 64 << 10;
  Start();
  WebSocketClient slow = Connect({.target = "/ws", .headers = {}, .receive_buffer = 8 << 10});
  WebSocketClient sender = Connect();
  int sent = 0;
  // More than the log and the sockets take, and done long before the server waits no longer for the
  // answer to its close frame.
  while (ConnectionCount() == 2 && sent < 600 && EndedCount(Outcome::kSlowConsumer) == 0) {
    sender.SendText(Say("broadcast", std::string(4000, 'x')));
    ASSERT_THAT(sender.ReadText(), HasSubstr("broadcast"));
    ++sent;
    if (LaggingCount() > 0 && sent > 200) break;
  }
  const auto close = slow.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 4408);
  slow.SendClose(4408);
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kSlowConsumer) == 1; }));
}

// --- Compression.

std::string Inflate(std::string_view deflated, z_stream* stream = nullptr) {
  z_stream own{};
  if (stream == nullptr) stream = &own;
  inflateInit2(stream, -MAX_WBITS);
  std::string input(deflated);
  input.append("\0\0\xff\xff", 4);
  std::string output(1 << 20, '\0');
  stream->next_in = reinterpret_cast<Bytef*>(input.data());
  stream->avail_in = static_cast<uInt>(input.size());
  stream->next_out = reinterpret_cast<Bytef*>(output.data());
  stream->avail_out = static_cast<uInt>(output.size());
  inflate(stream, Z_SYNC_FLUSH);
  output.resize(output.size() - stream->avail_out);
  inflateEnd(stream);
  return output;
}

std::string Deflate(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string input(text), output(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  deflate(&stream, Z_SYNC_FLUSH);
  output.resize(output.size() - stream.avail_out - 4);
  deflateEnd(&stream);
  return output;
}

class WebSocketCompressionTest : public WebSocketLimitsTest {
 protected:
  void SetUp() override {
    websocket_options.compression = true;
    Start();
  }
  WebSocketClient ConnectWith(const std::string& extensions) {
    return Connect({.headers = {{"Sec-WebSocket-Extensions", extensions}}});
  }
};

TEST_F(WebSocketCompressionTest, MessagesAreDeflatedEachByItself) {
  WebSocketClient client = ConnectWith("permessage-deflate; client_max_window_bits");
  WebSocketClient plain = Connect();
  EXPECT_THAT(client.response(),
              AllOf(HasSubstr("permessage-deflate"), HasSubstr("server_no_context_takeover")));
  const std::string body(2000, 'a');
  for (int i = 0; i < 3; ++i) {
    client.SendFrame(kText, Deflate(Say("broadcast", body)), true, 0x4);
    const auto frame = client.ReadFrame();
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->rsv1);
    EXPECT_LT(frame->payload.size(), 300u);
    EXPECT_EQ(Inflate(frame->payload), plain.ReadText());
  }
}

TEST_F(WebSocketCompressionTest, WhatWouldNotBecomeSmallerIsSentAsItIs) {
  WebSocketClient client = ConnectWith("permessage-deflate");
  client.SendText(R"({"action_type":"ping"})");
  const auto frame = client.ReadFrame();
  ASSERT_TRUE(frame);
  const std::string text = frame->rsv1 ? Inflate(frame->payload) : frame->payload;
  EXPECT_THAT(text, HasSubstr(R"("data":"pong")"));
  EXPECT_LE(frame->payload.size(), text.size());
}

TEST_F(WebSocketCompressionTest, AClientWithASmallWindowGetsPlainFrames) {
  WebSocketClient client = ConnectWith("permessage-deflate; server_max_window_bits=10");
  client.SendText(Say("direct", std::string(5000, 'a')));
  const auto frame = client.ReadFrame();
  ASSERT_TRUE(frame);
  EXPECT_FALSE(frame->rsv1);
  EXPECT_THAT(frame->payload, HasSubstr(std::string(5000, 'a')));
}

TEST_F(WebSocketCompressionTest, AClientThatDoesNotOfferItGetsPlainFrames) {
  WebSocketClient client = Connect();
  EXPECT_THAT(client.response(), Not(HasSubstr("permessage-deflate")));
  client.SendText(Say("direct", std::string(5000, 'a')));
  EXPECT_THAT(client.ReadText(), HasSubstr(std::string(5000, 'a')));
}

TEST_F(WebSocketCompressionTest, ABombIsTooBig) {
  WebSocketClient client = ConnectWith("permessage-deflate");
  client.SendFrame(kText, Deflate(Say("direct", std::string(10'000'000, 'a'))), true, 0x4);
  ExpectClosed(client, 1009, Outcome::kMessageTooBig);
}

TEST_F(WebSocketCompressionTest, WhatCannotBeInflatedEndsTheSession) {
  WebSocketClient client = ConnectWith("permessage-deflate");
  client.SendFrame(kText, std::string(40, '\xFF'), true, 0x4);
  const auto close = client.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1007);
  client.SendClose(1007);
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kProtocolError) == 1; }));
}

}  // namespace
}  // namespace crier::testing
