// Unary calls by HTTP, as the Connect protocol has them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "crier/v1/messaging.pb.h"
#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kJson[] = "Content-Type: application/json\r\n";
constexpr char kHello[] = R"({"message":{"actionType":"BROADCAST","body":"hello"}})";

std::string Gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string zipped(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(zipped.data());
  stream.avail_out = static_cast<uInt>(zipped.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  zipped.resize(stream.total_out);
  deflateEnd(&stream);
  return zipped;
}

class UnaryHttpTest : public WebSocketServerTest {
 protected:
  static std::string Request(const std::string& method, const std::string& body,
                             const std::string& headers) {
    return "POST /crier.v1.Messaging/" + method + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::string Exchange(const std::string& request) {
    WebSocketClient client(address());
    client.SendRaw(request);
    if (!client.ReadResponseHeader()) return {};
    const std::string header = client.response();
    return header + client.ReadBody();
  }
  // A session that follows the common topic, and is counted as one that does.
  WebSocketClient Follower() {
    WebSocketClient client = Connect();
    client.SendText(R"({"action_type":"subscribe","topic":"","id":"s"})");
    EXPECT_THAT(client.ReadText(), HasSubstr("ack"));
    return client;
  }
  // The whole answer.
  std::string Call(const std::string& method, const std::string& body,
                   const std::string& headers = kJson) {
    return Exchange(Request(method, body, headers + "Connection: close\r\n"));
  }
};

TEST_F(UnaryHttpTest, APublishReachesASessionAndSaysSo) {
  Start();
  WebSocketClient client = Follower();
  EXPECT_THAT(Call("Publish", kHello),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: application/json\r\n"),
                    HasSubstr(R"("offset":"1")"), HasSubstr(R"("recipients":"1")")));
  EXPECT_THAT(client.ReadText(), HasSubstr("hello"));
}

TEST_F(UnaryHttpTest, ProtobufIsSpokenToo) {
  Start();
  v1::PublishRequest request;
  request.mutable_message()->set_action_type(v1::BROADCAST);
  request.mutable_message()->set_topic("news");
  request.mutable_message()->set_body("hello");
  const std::string answer =
      Call("Publish", request.SerializeAsString(), "Content-Type: application/proto\r\n");
  EXPECT_THAT(answer,
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: application/proto\r\n")));
  v1::PublishResponse response;
  ASSERT_TRUE(response.ParseFromString(answer.substr(answer.find("\r\n\r\n") + 4)));
  EXPECT_EQ(response.topic(), "news");
  EXPECT_EQ(response.offset(), 1u);
}

TEST_F(UnaryHttpTest, HistoryIsThere) {
  Start();
  for (int i = 0; i < 3; ++i) Call("Publish", kHello);
  EXPECT_THAT(
      Call("History", R"({"from":"2"})"),
      AllOf(StartsWith("HTTP/1.1 200"), HasSubstr(R"("offset":"2")"), HasSubstr(R"("offset":"3")"),
            Not(HasSubstr(R"("offset":"1")")), HasSubstr(R"("head":"3")")));
  EXPECT_THAT(Call("History", "{}"), HasSubstr(R"("offset":"1")"));
}

TEST_F(UnaryHttpTest, ALongHistoryComesInParts) {
  Start();
  const std::string body(30'000, 'x');
  for (int i = 0; i < 5; ++i) {
    Call("Publish", R"({"message":{"actionType":"BROADCAST","body":")" + body + "\"}}");
  }
  const std::string first = Call("History", "{}");
  EXPECT_LT(first.size(), 70'000u);
  EXPECT_THAT(first, AllOf(HasSubstr(R"("offset":"2")"), Not(HasSubstr(R"("offset":"3")")),
                           HasSubstr(R"("head":"5")")));
  EXPECT_THAT(Call("History", R"({"from":"3"})"), HasSubstr(R"("offset":"4")"));
}

TEST_F(UnaryHttpTest, AnEventLongerThanAPartIsOneByItself) {
  engine_options.max_body_bytes = 200'000;
  websocket_options.max_message_bytes = 2'000'000;
  Start();
  const std::string body(150'000, 'x');
  for (int i = 0; i < 2; ++i) {
    Call("Publish", R"({"message":{"actionType":"BROADCAST","body":")" + body + "\"}}");
  }
  EXPECT_THAT(Call("History", "{}"),
              AllOf(HasSubstr(R"("offset":"1")"), Not(HasSubstr(R"("offset":"2")"))));
}

TEST_F(UnaryHttpTest, AnswersThatNobodyReadsAreCounted) {
  shards = 1;
  Start();
  const std::string body(60'000, 'x');
  Call("Publish", R"({"message":{"actionType":"BROADCAST","body":")" + body + "\"}}");
  const auto kept = [&] {
    return Sum([](const ShardMetrics& metrics) {
      return metrics.memory[static_cast<size_t>(MemoryKind::kOutput)].value();
    });
  };
  WebSocketClient client(address(), /*receive_buffer=*/4096);
  // More than the kernel takes of answers to somebody who does not read.
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += Request("History", "{}", kJson);
  client.SendRaw(requests);
  EXPECT_TRUE(Eventually([&] { return kept() >= 60'000; }));
  EXPECT_LT(kept(), 200'000);
  client.Drop();
  EXPECT_TRUE(Eventually([&] { return kept() == 0; }));
}

TEST_F(UnaryHttpTest, HistoryIsRefusedWhileMuchOfItIsNotRead) {
  shards = 1;
  engine_options.memory_budget = 2 << 20;
  Start();
  const std::string body(60'000, 'x');
  Call("Publish", R"({"message":{"actionType":"BROADCAST","body":")" + body + "\"}}");
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += Request("History", "{}", kJson);
  std::vector<WebSocketClient> clients;
  EXPECT_TRUE(Eventually([&] {
    clients.emplace_back(address(), /*receive_buffer=*/4096).SendRaw(requests);
    return Call("History", "{}").starts_with("HTTP/1.1 429");
  }));
  EXPECT_THAT(Call("Publish", kHello), StartsWith("HTTP/1.1 200"));
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return Call("History", "{}").starts_with("HTTP/1.1 200"); }));
}

TEST_F(UnaryHttpTest, TheUserIsNamedAsInMetadata) {
  Start();
  WebSocketClient client = Follower();
  Call("Publish", kHello, std::string(kJson) + "Crier-User-Id: ann\r\n");
  EXPECT_THAT(client.ReadText(), HasSubstr(R"("user_id":"ann")"));
  EXPECT_THAT(Call("Publish", kHello, std::string(kJson) + "Crier-User-Id: \xff\r\n"),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Crier-User-Id")));
}

TEST_F(UnaryHttpTest, AConnectionIsKeptForFurtherCalls) {
  Start();
  WebSocketClient client(address());
  // Two at once, and then one in pieces.
  client.SendRaw(Request("Publish", kHello, kJson) + Request("Publish", kHello, kJson));
  for (int i = 1; i <= 2; ++i) {
    ASSERT_TRUE(client.ReadResponseHeader());
    EXPECT_EQ(client.status(), 200);
    EXPECT_THAT(client.ReadBody(), HasSubstr("\"offset\":\"" + std::to_string(i) + "\""));
  }
  const std::string request = Request("Publish", kHello, kJson);
  for (const char byte : request) client.SendRaw(std::string(1, byte));
  ASSERT_TRUE(client.ReadResponseHeader());
  EXPECT_THAT(client.ReadBody(), HasSubstr(R"("offset":"3")"));
}

TEST_F(UnaryHttpTest, ABodyMayComeInChunks) {
  Start();
  const std::string body(kHello);
  EXPECT_THAT(
      Exchange("POST /crier.v1.Messaging/Publish HTTP/1.1\r\nHost: localhost\r\n" +
               std::string(kJson) + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" +
               body.substr(0, 5) + "\r\n" + "30\r\n" + body.substr(5) + "\r\n0\r\n\r\n"),
      StartsWith("HTTP/1.1 200"));
}

TEST_F(UnaryHttpTest, ABodyMayBeGzip) {
  Start();
  const std::string gzip = std::string(kJson) + "Content-Encoding: gzip\r\n";
  EXPECT_THAT(Call("Publish", Gzip(kHello), gzip), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Call("Publish", kHello, gzip), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("gzip")));
  const std::string bomb = Gzip(std::string(10 << 20, ' '));
  EXPECT_THAT(Call("Publish", bomb, gzip),
              AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("resource_exhausted")));
  EXPECT_THAT(Call("Publish", kHello, std::string(kJson) + "Content-Encoding: br\r\n"),
              AllOf(StartsWith("HTTP/1.1 501"), HasSubstr("Accept-Encoding: gzip\r\n"),
                    HasSubstr("unimplemented")));
}

TEST_F(UnaryHttpTest, AnErrorHasItsOutcome) {
  Start();
  // ErrorInfo with the reason NO_RECIPIENT and the domain crier, in base64.
  EXPECT_THAT(
      Call("Publish", R"({"message":{"actionType":"DIRECT","to":"nobody","body":"x"}})"),
      AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("Content-Type: application/json\r\n"),
            HasSubstr(R"({"code":"not_found","message":"no session of user \"nobody\" is here")"),
            HasSubstr(R"("details":[{"type":"google.rpc.ErrorInfo","value":")"
                      R"(CgxOT19SRUNJUElFTlQSBWNyaWVy","debug":{"reason":"NO_RECIPIENT")")));
}

TEST_F(UnaryHttpTest, WhatIsNoRequestIsRefusedWithWhatWouldBeRight) {
  Start();
  const auto invalid = [](const char* text) {
    return AllOf(StartsWith("HTTP/1.1 400"), HasSubstr(R"("code":"invalid_argument")"),
                 HasSubstr(text));
  };
  EXPECT_THAT(Call("Publish", "{"), invalid("crier.v1.PublishRequest in protobuf's JSON"));
  EXPECT_THAT(Call("Publish", "\xff", "Content-Type: application/proto\r\n"),
              invalid("protobuf's encoding"));
  EXPECT_THAT(Call("Publish", "{}"), invalid("message is missing"));
  EXPECT_THAT(Call("History", R"({"topic":")" + std::string(256, 't') + "\"}"), invalid("topic"));
  EXPECT_THAT(Call("Publish", kHello, std::string(kJson) + "Connect-Protocol-Version: 2\r\n"),
              invalid("has to be 1"));
  for (const char* timeout : {"x", "-1", "12345678901", "1.5"}) {
    EXPECT_THAT(
        Call("Publish", kHello, std::string(kJson) + "Connect-Timeout-Ms: " + timeout + "\r\n"),
        invalid("ten digits"))
        << timeout;
  }
}

TEST_F(UnaryHttpTest, OtherTypesAndMethodsAreToldWhatThereIs) {
  Start();
  EXPECT_THAT(Call("Publish", kHello, "Content-Type: text/json\r\n"),
              AllOf(StartsWith("HTTP/1.1 415"),
                    HasSubstr("Accept-Post: application/json, application/proto\r\n")));
  EXPECT_THAT(Call("Publish", kHello, ""), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(Call("Publish", kHello, "Content-Type: application/json; charset=utf-8\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Call("Nothing", "{}"), AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("unimplemented"),
                                           HasSubstr("Publish and History")));
  EXPECT_THAT(Call("Subscribe", "{}"), AllOf(StartsWith("HTTP/1.1 501"), HasSubstr("is a stream")));
  EXPECT_THAT(Exchange("GET /crier.v1.Messaging/Publish HTTP/1.1\r\nHost: localhost\r\n"
                       "Connection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: POST, OPTIONS\r\n")));
}

TEST_F(UnaryHttpTest, ABodyOverTheLimitIsNotRead) {
  websocket_options.max_message_bytes = 1000;
  Start();
  WebSocketClient client(address());
  client.SendRaw("POST /crier.v1.Messaging/Publish HTTP/1.1\r\nHost: localhost\r\n" +
                 std::string(kJson) + "Content-Length: 1001\r\n\r\n");
  ASSERT_TRUE(client.ReadResponseHeader());
  EXPECT_EQ(client.status(), 429);
  EXPECT_THAT(client.response(), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(client.ReadBody(), HasSubstr("more than 1000 bytes"));
}

TEST_F(UnaryHttpTest, ABodyThatDoesNotComeRunsOutOfTime) {
  websocket_options.handshake_timeout = 100ms;
  Start();
  WebSocketClient client(address());
  client.SendRaw("POST /crier.v1.Messaging/Publish HTTP/1.1\r\nHost: localhost\r\n" +
                 std::string(kJson) + "Content-Length: 10\r\n\r\n{");
  EXPECT_TRUE(client.WaitForEnd());
}

TEST_F(UnaryHttpTest, AllowedPagesOfOtherOriginsMayCall) {
  websocket_options.allowed_origins = *OriginRules::Parse("https://friend.example");
  Start();
  const std::string friends = "Origin: https://friend.example\r\n";
  const std::string preflight =
      Exchange("OPTIONS /crier.v1.Messaging/Publish HTTP/1.1\r\nHost: localhost\r\n" + friends +
               "Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(preflight, AllOf(StartsWith("HTTP/1.1 204"),
                               HasSubstr("Access-Control-Allow-Origin: https://friend.example\r\n"),
                               HasSubstr("Access-Control-Allow-Methods: POST\r\n"),
                               HasSubstr("Access-Control-Allow-Headers: Content-Type, "),
                               HasSubstr("Vary: Origin\r\n")));
  EXPECT_THAT(Call("Publish", kHello, kJson + friends),
              AllOf(StartsWith("HTTP/1.1 200"),
                    HasSubstr("Access-Control-Allow-Origin: https://friend.example\r\n")));
  const std::string refused =
      Call("Publish", kHello, std::string(kJson) + "Origin: https://evil.example\r\n");
  EXPECT_THAT(refused, AllOf(StartsWith("HTTP/1.1 403"), Not(HasSubstr("Access-Control"))));
  EXPECT_THAT(Call("Publish", kHello),
              AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("Access-Control-Allow"))));
}

TEST_F(UnaryHttpTest, AClientThatWaitsForAWordGetsIt) {
  Start();
  WebSocketClient client(address());
  const std::string body(kHello);
  client.SendRaw(
      "POST /crier.v1.Messaging/Publish HTTP/1.1\r\nHost: localhost\r\n" + std::string(kJson) +
      "Expect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  ASSERT_TRUE(client.ReadResponseHeader());
  EXPECT_EQ(client.status(), 100);
  client.SendRaw(body);
  ASSERT_TRUE(client.ReadResponseHeader());
  EXPECT_EQ(client.status(), 200);
}

}  // namespace
}  // namespace crier::testing
