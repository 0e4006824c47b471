// The dialects crier.v1.json and crier.v1.proto over real sockets (docs/protocol.md,
// "crier.v1.json and crier.v1.proto"). What messages do is the same in every dialect, and is in
// tests/parity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <thread>

#include "tests/support/frames.h"
#include "tests/support/model_client.h"
#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ModelDialectsTest : public WebSocketServerTest,
                          public ::testing::WithParamInterface<ModelForm> {
 protected:
  bool is_json() const { return GetParam() == ModelForm::kJson; }

  // Its welcome was taken.
  ModelClient Join(WebSocketClient::Options options = {}) {
    ModelClient client(address(), GetParam(), std::move(options));
    client.NextWelcome();
    return client;
  }
  ModelClient JoinAs(const std::string& user) {
    return Join({.target = "/ws?user_id=" + user, .headers = {}});
  }
  void ExpectStillThere(ModelClient& client) {
    client.Send(Ping("there?"));
    EXPECT_EQ(client.Next(v1::Event::kPong).pong().id(), "there?");
  }
  void ExpectClosed(ModelClient& client, Outcome outcome) {
    const auto close = client.socket().ReadClose();
    ASSERT_TRUE(close);
    EXPECT_EQ(close->close_code(), Info(outcome).repeated_close_code);
    EXPECT_THAT(close->close_reason(), AnyOf("", StartsWith(std::string(Info(outcome).name))));
    client.socket().SendClose(close->close_code());
    EXPECT_TRUE(client.socket().WaitForEnd());
    client.socket().Drop();
    EXPECT_TRUE(Eventually([&] { return EndedCount(outcome) == 1; })) << Info(outcome).name;
    EXPECT_EQ(ClosedErrors(), 0);
  }
};

TEST_P(ModelDialectsTest, WelcomeComesFirst) {
  Start();
  ModelClient client(address(), GetParam(), {.target = "/ws?user_id=alice", .headers = {}});
  const v1::Welcome welcome = client.NextWelcome();
  EXPECT_EQ(welcome.user_id(), "alice");
  EXPECT_FALSE(welcome.session_id().empty());
  EXPECT_EQ(welcome.server(), engine_options.server_name);
  EXPECT_EQ(welcome.limits().max_body_bytes(), 64u << 10);
  EXPECT_EQ(welcome.limits().max_topics(), 128u);
  EXPECT_NE(welcome.epoch(), 0u);
  EXPECT_TRUE(welcome.has_reconnect_after());
  EXPECT_TRUE(client.socket().StaysSilent(100ms));
}

TEST_P(ModelDialectsTest, TheClientsPreferenceCounts) {
  Start();
  const std::string other = SubprotocolOf(is_json() ? ModelForm::kProto : ModelForm::kJson);
  WebSocketClient client =
      Connect({.headers = {{"Sec-WebSocket-Protocol",
                            "new.v2, " + SubprotocolOf(GetParam()) + ", " + other}}});
  EXPECT_THAT(client.response(),
              AllOf(HasSubstr("\r\nSec-WebSocket-Protocol: " + SubprotocolOf(GetParam()) + "\r\n"),
                    Not(HasSubstr(other))));
  const auto frame = client.ReadFrame();
  ASSERT_TRUE(frame);
  EXPECT_TRUE(EventOf(GetParam(), frame->payload).has_welcome());
}

TEST_P(ModelDialectsTest, ARefusedUpgradeNamesNoSubprotocol) {
  Start();
  WebSocketClient client(address(),
                         {.headers = {{"Sec-WebSocket-Protocol", SubprotocolOf(GetParam())},
                                      {"Origin", "https://stranger.example"}}});
  EXPECT_EQ(client.status(), 403);
  EXPECT_THAT(client.response(), Not(HasSubstr("Sec-WebSocket-Protocol")));
}

TEST_P(ModelDialectsTest, EchoSpeaksNoDialect) {
  websocket_options.enable_echo = true;
  Start();
  WebSocketClient client = Connect(
      {.target = "/echo", .headers = {{"Sec-WebSocket-Protocol", SubprotocolOf(GetParam())}}});
  EXPECT_THAT(client.response(), Not(HasSubstr("Sec-WebSocket-Protocol")));
  client.SendText("{}");
  EXPECT_EQ(client.ReadText(), "{}");
}

TEST_P(ModelDialectsTest, FramesThatComeWithTheHandshakeAreNotLost) {
  Start();
  const WebSocketClient::Options options{
      .headers = {{"Sec-WebSocket-Protocol", SubprotocolOf(GetParam())}}};
  v1::ClientFrame frame = AsFrame(Direct("early"));
  std::string payload = frame.SerializeAsString();
  if (is_json()) payload = R"({"publish":{"actionType":"DIRECT","body":"early"}})";
  WebSocketClient client(address());
  client.SendRaw(WebSocketClient::UpgradeRequest(address(), options) +
                 WebSocketClient::MaskedFrame(is_json() ? kText : kBinary, payload));
  ASSERT_TRUE(client.ReadResponseHeader());
  EXPECT_TRUE(EventOf(GetParam(), client.ReadFrame().value_or(Frame{}).payload).has_welcome());
  EXPECT_EQ(EventOf(GetParam(), client.ReadFrame().value_or(Frame{}).payload).message().body(),
            "early");
}

TEST_P(ModelDialectsTest, AHelloResumesAndNamesTheUser) {
  Start();
  ModelClient sender = Join();
  uint64_t epoch = 0;
  for (const char* body : {"1", "2", "3"}) {
    sender.Send(AsFrame(Broadcast(body)));
    epoch = sender.NextMessage().epoch();
  }
  ModelClient client(address(), GetParam());
  v1::ClientFrame hello = HelloFrom(At("", epoch, 1));
  hello.mutable_hello()->set_user_id("bob");
  client.Send(hello);
  EXPECT_EQ(client.NextWelcome().offset(), 3u);
  EXPECT_EQ(client.NextMessage().body(), "2");
  EXPECT_EQ(client.NextMessage().body(), "3");
  sender.Send(AsFrame(Direct("hello bob", "bob")));
  EXPECT_EQ(client.NextMessage().body(), "hello bob");
  EXPECT_TRUE(client.socket().StaysSilent(100ms));

  client.Send(hello);
  EXPECT_THAT(client.NextError().message(), HasSubstr("first frame"));
}

TEST_P(ModelDialectsTest, ABroadcastReachesEveryDialect) {
  Start();
  ModelClient client = JoinAs("7");
  ModelClient other(address(), is_json() ? ModelForm::kProto : ModelForm::kJson);
  other.NextWelcome();
  other.Send(EmptyHello());
  WebSocketClient plain = Connect();
  client.Send(AsFrame(Broadcast("to all €")));
  const v1::Message message = client.NextMessage();
  EXPECT_EQ(message.body(), "to all €");
  EXPECT_EQ(message.user_id(), "7");
  EXPECT_EQ(message.offset(), 1u);
  EXPECT_NE(message.received_at(), 0);
  EXPECT_EQ(other.NextMessage().SerializeAsString(), message.SerializeAsString());
  EXPECT_THAT(plain.ReadText(),
              StartsWith(R"({"user_id":"7","action_type":"broadcast","body":"to all €")"));
}

TEST_P(ModelDialectsTest, WhatIsNoFrameIsRefusedAndTheSessionGoesOn) {
  Start();
  ModelClient client = JoinAs("7");
  client.SendPayload("{\xC2\xA7");
  v1::Error error = client.NextError();
  EXPECT_EQ(error.outcome(), "INVALID_MESSAGE");
  EXPECT_EQ(error.user_id(), "7");
  EXPECT_THAT(error.message(), HasSubstr("crier.v1.ClientFrame"));
  client.SendPayload(is_json() ? "{}" : "");
  EXPECT_THAT(client.NextError().message(), HasSubstr("it holds one of hello, publish"));
  EXPECT_EQ(Received(ActionKind::kInvalid), 2);
  ExpectStillThere(client);
}

TEST_P(ModelDialectsTest, AMessageOfTheOtherKindIsUnsupported) {
  engine_options.max_errors = 20;
  Start();
  ModelClient client = Join();
  client.SendOtherKind(client.Encoded(Ping("p")));
  const v1::Error error = client.NextError();
  EXPECT_EQ(error.outcome(), "UNSUPPORTED_DATA");
  EXPECT_THAT(error.message(), HasSubstr(SubprotocolOf(GetParam())));
  ExpectStillThere(client);
  for (int i = 0; i < 25; ++i) client.SendOtherKind("x");
  ExpectClosed(client, Outcome::kUnsupportedData);
}

TEST_P(ModelDialectsTest, RepeatedAbuseEndsTheSession) {
  engine_options.max_errors = 20;
  Start();
  ModelClient client = Join();
  for (int i = 0; i < 25; ++i) client.SendPayload("\x7F");
  ExpectClosed(client, Outcome::kInvalidMessage);
}

TEST_P(ModelDialectsTest, ABodyHasALimit) {
  Start();
  ModelClient client = Join();
  client.Send(AsFrame(Broadcast(std::string((64 << 10) + 1, 'x'), "", "big")));
  const v1::Error error = client.NextError();
  EXPECT_EQ(error.outcome(), "MESSAGE_TOO_BIG");
  EXPECT_EQ(error.id(), "big");
  v1::Message most = Direct(std::string(64 << 10, '"'));
  most.set_data(std::string(is_json() ? 0 : 64 << 10, 'x'));
  client.Send(AsFrame(most));
  EXPECT_EQ(client.NextMessage().body().size(), 64u << 10);
}

TEST_P(ModelDialectsTest, AMessageOverTheTransportsLimitEndsTheSession) {
  Start();
  ModelClient client = Join();
  std::thread sender([&] { client.SendPayload(std::string(7 * (64 << 10), 'x')); });
  ExpectClosed(client, Outcome::kMessageTooBig);
  sender.join();
}

TEST_P(ModelDialectsTest, TextThatIsNotUtf8) {
  Start();
  ModelClient client = Join();
  std::string payload = client.Encoded(AsFrame(Direct("hello")));
  payload[payload.find("hello")] = '\xFF';
  client.SendPayload(payload);
  if (is_json()) {
    // A text message that is not text (RFC 6455, section 8.1).
    ExpectClosed(client, Outcome::kInvalidUtf8);
  } else {
    const v1::Error error = client.NextError();
    EXPECT_EQ(error.outcome(), "INVALID_MESSAGE");
    EXPECT_THAT(error.message(), HasSubstr("UTF-8"));
    ExpectStillThere(client);
  }
}

TEST_P(ModelDialectsTest, ADrainIsToldWithTheClientsOwnSlot) {
  Start();
  ModelClient client = Join();
  engine().Drain(100ms, [] {});
  EXPECT_TRUE(client.Next(v1::Event::kDrain).drain().has_reconnect_after());
  ExpectClosed(client, Outcome::kShutdown);
}

TEST_P(ModelDialectsTest, AClosingHandshakeIsAnswered) {
  Start();
  ModelClient client = Join();
  const auto answer = client.socket().CloseNicely();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->close_code(), 1000);
  EXPECT_TRUE(Eventually([&] { return EndedCount(Outcome::kOk) == 1; }));
  EXPECT_EQ(ClosedErrors(), 0);
}

// --- Compression.

std::string Inflate(std::string deflated) {
  z_stream stream{};
  inflateInit2(&stream, -MAX_WBITS);
  deflated.append("\0\0\xFF\xFF", 4);
  std::string output(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(deflated.data());
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  inflate(&stream, Z_SYNC_FLUSH);
  output.resize(output.size() - stream.avail_out);
  inflateEnd(&stream);
  return output;
}

TEST_P(ModelDialectsTest, MessagesAreDeflatedEachByItself) {
  websocket_options.compression = true;
  Start();
  WebSocketClient client =
      Connect({.headers = {{"Sec-WebSocket-Protocol", SubprotocolOf(GetParam())},
                           {"Sec-WebSocket-Extensions", "permessage-deflate"}}});
  const auto welcome = client.ReadFrame();
  ASSERT_TRUE(welcome);
  EXPECT_TRUE(EventOf(GetParam(), welcome->rsv1 ? Inflate(welcome->payload) : welcome->payload)
                  .has_welcome());
  // Until its first frame a session gets nothing of the empty topic.
  const std::string hello = is_json() ? R"({"hello":{}})" : EmptyHello().SerializeAsString();
  client.SendFrame(is_json() ? kText : kBinary, hello);
  ModelClient sender = Join();
  const std::string body(2000, 'a');
  for (int i = 0; i < 3; ++i) {
    sender.Send(AsFrame(Broadcast(body)));
    const auto frame = client.ReadFrame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, is_json() ? kText : kBinary);
    EXPECT_TRUE(frame->rsv1);
    EXPECT_LT(frame->payload.size(), 300u);
    EXPECT_EQ(EventOf(GetParam(), Inflate(frame->payload)).message().body(), body);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, ModelDialectsTest,
                         ::testing::Values(ModelForm::kJson, ModelForm::kProto),
                         [](const ::testing::TestParamInfo<ModelForm>& form) {
                           return form.param == ModelForm::kJson ? "Json" : "Proto";
                         });

}  // namespace
}  // namespace crier::testing
