// Tokens and permissions: the same on both transports, in every dialect, and for unary calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/auth/key_parser.h"
#include "server/auth/token_verifier.h"
#include "tests/parity/parity_fixture.h"
#include "tests/support/frames.h"
#include "tests/support/grpc_client.h"
#include "tests/support/tokens.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kAll[] =
    R"("crier":{"publish":["**"],"subscribe":["**"],"direct":true,"presence":true,"history":true})";

v1::ClientFrame NewToken(const std::string& token, const std::string& id = "") {
  v1::ClientFrame frame;
  frame.mutable_auth()->set_token(token);
  frame.mutable_auth()->set_id(id);
  return frame;
}

class AuthTest : public ParityTest {
 protected:
  AuthTest() {
    verifier_.SetKeys(*ParseKeyFile(kTestSecret));
    engine_options_.authenticator = &verifier_;
  }
  ~AuthTest() override { StopServer(); }

  void Allow(Permissions permissions) {
    TokenRules rules;
    rules.leeway = 0;
    rules.anonymous = std::move(permissions);
    anonymous_ = std::make_unique<TokenVerifier>(std::move(rules));
    anonymous_->SetKeys(*ParseKeyFile(kTestSecret));
    engine_options_.authenticator = anonymous_.get();
  }

  std::unique_ptr<Peer> ConnectWith(Speech speech, const std::string& token,
                                    TokenIn in = TokenIn::kHeader) {
    return Connect(speech, Login{.token = token, .in = in});
  }
  int64_t Refused(const std::string& reason) const {
    return Metric("crier_authentications_refused_total{reason=\"" + reason + "\"}");
  }
  // The answer to a request, head and body.
  std::string Http(const std::string& request) {
    WebSocketClient client(http_address());
    client.SendRaw(request);
    client.ReadResponseHeader();
    return client.response() + client.ReadBody();
  }
  std::string Call(const std::string& method, const std::string& body, const std::string& headers) {
    return Http("POST /crier.v1.Messaging/" + method + " HTTP/1.1\r\nHost: " + http_address() +
                "\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body);
  }

 private:
  TokenVerifier verifier_{TokenRules{.leeway = 0}};
  std::unique_ptr<TokenVerifier> anonymous_;
};

class SpeechAuthTest : public AuthTest, public ::testing::WithParamInterface<Speech> {
 protected:
  void ExpectEnding(Peer& peer, Outcome outcome) {
    const Ending ending = peer.WaitForEnd();
    EXPECT_EQ(ending.code, peer.CodeOf(Info(outcome))) << Info(outcome).name;
    if (GetParam() == Speech::kGrpc) {
      EXPECT_EQ(ending.outcome, Info(outcome).name);
    }
  }
  std::vector<TokenIn> Ways() const {
    if (GetParam() == Speech::kGrpc) return {TokenIn::kHeader, TokenIn::kFrame};
    // A client that offers a subprotocol, and gets none, fails; so the plain dialect has not that
    // way.
    if (GetParam() == Speech::kPlain) return {TokenIn::kHeader, TokenIn::kQuery, TokenIn::kFrame};
    return {TokenIn::kHeader, TokenIn::kQuery, TokenIn::kSubprotocol, TokenIn::kFrame};
  }
};

INSTANTIATE_TEST_SUITE_P(Speech, SpeechAuthTest, ::testing::ValuesIn(kEverySpeech),
                         [](const ::testing::TestParamInfo<Speech>& speech) {
                           return NameOf(speech.param);
                         });

TEST_P(SpeechAuthTest, EveryWayToGiveAToken) {
  StartServer();
  for (const TokenIn in : Ways()) {
    SCOPED_TRACE(static_cast<int>(in));
    const auto alice = ConnectWith(GetParam(), TokenFor("alice", kAll), in);
    v1::Message message = Direct("from me", "alice");
    message.set_user_id("mallory");
    alice->Send(AsFrame(message));
    EXPECT_EQ(alice->Next().message().user_id(), "alice");
  }
}

TEST_P(SpeechAuthTest, AWrongTokenInTheFirstFrame) {
  StartServer();
  for (const auto& [token, outcome] :
       {std::pair(SignedToken(R"({"sub":"alice","exp":4000000000})", "HS256", kOtherSecret),
                  Outcome::kUnauthenticated),
        std::pair(std::string("no token"), Outcome::kUnauthenticated),
        std::pair(TokenFor("alice", kAll, -5), Outcome::kTokenExpired)}) {
    const auto peer =
        Connect(GetParam(), Login{.token = token, .in = TokenIn::kFrame, .quiet = true});
    ExpectEnding(*peer, outcome);
  }
  for (const char* reason : {"signature", "malformed", "expired"}) EXPECT_EQ(Refused(reason), 1);
}

TEST_P(SpeechAuthTest, AnotherFirstFrameThanAToken) {
  StartServer();
  const auto peer = Connect(GetParam(), Login{.user = "alice", .quiet = true});
  peer->Send(AsFrame(Broadcast("no")));
  ExpectEnding(*peer, Outcome::kUnauthenticated);
}

TEST_P(SpeechAuthTest, NoTokenInTime) {
  engine_options_.token_timeout = std::chrono::milliseconds(200);
  StartServer();
  const auto peer = Connect(GetParam(), Login{.quiet = true});
  ExpectEnding(*peer, Outcome::kUnauthenticated);
  EXPECT_EQ(Refused("missing"), 1);
}

TEST_P(SpeechAuthTest, WhatIsNotAllowedIsRefusedAndTheSessionStays) {
  StartServer();
  const auto bob = ConnectWith(GetParam(), TokenFor("bob", kAll));
  const auto alice = ConnectWith(
      GetParam(),
      TokenFor("alice", R"("crier":{"publish":["chat.*"],"subscribe":["","user.{sub}.**"]})"));
  const auto refused = [&alice](const v1::ClientFrame& frame) {
    alice->Send(frame);
    return alice->Next().ShortDebugString();
  };
  EXPECT_EQ(refused(AsFrame(Broadcast("no", "", "1"))),
            R"(error { outcome: "PERMISSION_DENIED" id: "1" user_id: "alice" })");
  EXPECT_EQ(refused(AsFrame(Broadcast("no", "news", "2"))),
            R"(error { outcome: "PERMISSION_DENIED" id: "2" user_id: "alice" })");
  EXPECT_EQ(refused(Subscribe("user.bob.inbox", "3")),
            R"(error { outcome: "PERMISSION_DENIED" id: "3" user_id: "alice" })");
  EXPECT_EQ(refused(AsFrame(Direct("no", "bob", "4"))),
            R"(error { outcome: "PERMISSION_DENIED" id: "4" user_id: "alice" })");
  EXPECT_EQ(refused(WhoFollows("user.alice.x", "5")),
            R"(error { outcome: "PERMISSION_DENIED" id: "5" user_id: "alice" })");
  alice->Send(Subscribe("user.alice.inbox", "6"));
  EXPECT_EQ(alice->Next().ack().id(), "6");
  bob->Send(AsFrame(Broadcast("to alice", "user.alice.inbox")));
  EXPECT_EQ(alice->Next().message().body(), "to alice");
}

TEST_P(SpeechAuthTest, WithoutPermissionTheEmptyTopicIsNotFollowed) {
  StartServer();
  const auto alice =
      Connect(GetParam(),
              Login{.token = TokenFor("alice", R"("crier.subscribe":["news"])"), .quiet = true});
  const auto bob = ConnectWith(GetParam(), TokenFor("bob", kAll));
  alice->Send(Subscribe("news", "s"));
  v1::Event event = alice->Next();
  if (event.has_welcome()) event = alice->Next();
  EXPECT_EQ(event.ack().id(), "s");
  bob->Send(AsFrame(Broadcast("to everybody")));
  EXPECT_EQ(bob->Next().message().body(), "to everybody");
  bob->Send(AsFrame(Broadcast("to some", "news")));
  EXPECT_EQ(alice->Next().message().body(), "to some");
}

TEST_P(SpeechAuthTest, TheEndOfTheTokenEndsTheSession) {
  StartServer();
  const auto peer = ConnectWith(GetParam(), TokenFor("alice", kAll, 2));
  ExpectEnding(*peer, Outcome::kTokenExpired);
}

TEST_P(SpeechAuthTest, ANewTokenInTimeKeepsIt) {
  StartServer();
  const auto alice = ConnectWith(GetParam(), TokenFor("alice", kAll, 3));
  const auto other = ConnectWith(GetParam(), TokenFor("bob", kAll, 3));
  alice->Send(NewToken(TokenFor("alice", kAll), "n1"));
  EXPECT_EQ(alice->Next().ShortDebugString(), R"(ack { id: "n1" user_id: "alice" })");
  // By then the first token of both has ended.
  ExpectEnding(*other, Outcome::kTokenExpired);
  alice->Send(AsFrame(Direct("still here", "alice")));
  EXPECT_EQ(alice->Next().message().body(), "still here");
}

TEST_P(SpeechAuthTest, ANewTokenOfAnotherUserEndsIt) {
  StartServer();
  const auto peer = ConnectWith(GetParam(), TokenFor("alice", kAll));
  peer->Send(NewToken(TokenFor("bob", kAll)));
  ExpectEnding(*peer, Outcome::kUnauthenticated);
  EXPECT_EQ(Refused("other_user"), 1);
}

TEST_P(SpeechAuthTest, AnonymousClientsMayDoWhatTheFlagSays) {
  Allow(*Permissions::Parse("subscribe= subscribe=news"));
  StartServer();
  const auto nobody = Connect(GetParam(), Login{.user = "alice"});
  nobody->Send(AsFrame(Broadcast("no", "news", "1")));
  EXPECT_EQ(nobody->Next().ShortDebugString(), R"(error { outcome: "PERMISSION_DENIED" id: "1" })");
  nobody->Send(Subscribe("news", "s"));
  EXPECT_EQ(nobody->Next().ack().id(), "s");
  nobody->Send(NewToken(TokenFor("alice", kAll), "n"));
  EXPECT_EQ(nobody->Next().ShortDebugString(), R"(ack { id: "n" user_id: "alice" })");
}

// --- What only one transport has.

TEST_F(AuthTest, AWrongTokenWithTheRequestIsRefusedBeforeTheUpgrade) {
  StartServer();
  const std::string forged =
      SignedToken(R"({"sub":"alice","exp":4000000000})", "HS256", kOtherSecret);
  for (const TokenIn in : {TokenIn::kHeader, TokenIn::kQuery, TokenIn::kSubprotocol}) {
    const Login login{.token = forged, .in = in};
    WebSocketClient client(http_address(), WebSocketClient::Options{.target = TargetFor(login),
                                                                    .headers = HeadersFor(login)});
    EXPECT_EQ(client.status(), 401);
    EXPECT_THAT(
        client.response(),
        AllOf(HasSubstr("WWW-Authenticate: Bearer realm=\"crier\", error=\"invalid_token\""),
              Not(HasSubstr(forged))));
    EXPECT_THAT(client.ReadBody(), HasSubstr("not signed by a key that is accepted here"));
  }
  WebSocketClient twice(
      http_address(), WebSocketClient::Options{.target = "/ws?access_token=" + forged,
                                               .headers = {{"Authorization", "Bearer " + forged}}});
  EXPECT_EQ(twice.status(), 400);
  EXPECT_EQ(Refused("signature"), 3);
  EXPECT_EQ(Refused("too_many"), 1);
}

TEST_F(AuthTest, TheAnswerNamesTheDialectAndNeverTheToken) {
  StartServer();
  const std::string token = TokenFor("alice", kAll);
  WebSocketClient client(
      http_address(),
      WebSocketClient::Options{
          .target = "/ws",
          .headers = {{"Sec-WebSocket-Protocol", "crier.v1.json, crier.bearer." + token}}});
  EXPECT_EQ(client.status(), 101);
  EXPECT_THAT(client.response(),
              AllOf(HasSubstr("Sec-WebSocket-Protocol: crier.v1.json\r\n"), Not(HasSubstr(token))));
}

TEST_F(AuthTest, HealthStaysOpen) {
  StartServer();
  EXPECT_THAT(Http("GET /healthcheck HTTP/1.1\r\nHost: " + http_address() + "\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_NE(GrpcClient(grpc_address()).Health(), "UNAUTHENTICATED");
}

TEST_F(AuthTest, CallsOfGrpc) {
  StartServer();
  GrpcClient client(grpc_address());
  std::string response;
  const std::string publish = [] {
    v1::PublishRequest request;
    *request.mutable_message() = Broadcast("hello", "news");
    request.mutable_message()->set_user_id("mallory");
    return request.SerializeAsString();
  }();
  const std::string history = [] {
    v1::HistoryRequest request;
    request.set_topic("news");
    return request.SerializeAsString();
  }();
  const std::string method = "/crier.v1.Messaging/";
  const auto with = [](const std::string& token) {
    return Metadata{{"authorization", "Bearer " + token}};
  };
  const auto outcome = [](const grpc::Status& status) {
    return status.ok() ? std::string("OK") : ReasonOf(status);
  };
  EXPECT_EQ(outcome(client.Call(method + "Publish", publish, &response)), "UNAUTHENTICATED");
  EXPECT_EQ(outcome(client.Call(method + "History", history, &response)), "UNAUTHENTICATED");
  EXPECT_EQ(outcome(client.Call(method + "Publish", publish, &response, with("x"))),
            "UNAUTHENTICATED");
  EXPECT_EQ(outcome(client.Call(method + "Publish", publish, &response,
                                with(TokenFor("alice", kAll, -5)))),
            "TOKEN_EXPIRED");
  const std::string narrow = TokenFor("alice", R"("crier.publish":["chat"])");
  EXPECT_EQ(outcome(client.Call(method + "Publish", publish, &response, with(narrow))),
            "PERMISSION_DENIED");
  EXPECT_EQ(outcome(client.Call(method + "History", history, &response, with(narrow))),
            "PERMISSION_DENIED");
  const std::string wide = TokenFor("alice", kAll);
  EXPECT_EQ(outcome(client.Call(method + "Publish", publish, &response, with(wide))), "OK");
  EXPECT_EQ(outcome(client.Call(method + "History", history, &response, with(wide))), "OK");
  v1::HistoryResponse events;
  ASSERT_TRUE(events.ParseFromString(response));
  ASSERT_EQ(events.events_size(), 1);
  EXPECT_EQ(events.events(0).message().user_id(), "alice");
  // A stream that only listens has no frame for a token.
  const auto listener = client.Subscribe({});
  EXPECT_EQ(ReasonOf(listener->Finish()), "UNAUTHENTICATED");
}

TEST_F(AuthTest, CallsOfHttp) {
  StartServer();
  const std::string publish =
      R"({"message":{"actionType":"BROADCAST","topic":"news","body":"hello","userId":"mallory"}})";
  const auto with = [](const std::string& token) {
    return "Authorization: Bearer " + token + "\r\n";
  };
  EXPECT_THAT(
      Call("Publish", publish, ""),
      AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("WWW-Authenticate: Bearer realm=\"crier\"\r\n"),
            HasSubstr("\"UNAUTHENTICATED\"")));
  EXPECT_THAT(Call("Publish", publish, with("x")),
              AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("error=\"invalid_token\"")));
  EXPECT_THAT(Call("History", R"({"topic":"news"})", ""), StartsWith("HTTP/1.1 401"));
  const std::string narrow = TokenFor("alice", R"("crier.publish":["chat"])");
  EXPECT_THAT(Call("Publish", publish, with(narrow)),
              AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("\"PERMISSION_DENIED\""),
                    HasSubstr("crier.publish")));
  const std::string wide = TokenFor("alice", kAll);
  EXPECT_THAT(Call("Publish", publish, with(wide)), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Call("History", R"({"topic":"news"})", with(wide)),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\"userId\":\"alice\"")));
  EXPECT_THAT(Call("History", R"({"topic":"news"})", with(narrow)), StartsWith("HTTP/1.1 403"));
}

}  // namespace
}  // namespace crier::testing
