// Every limit that a client can reach on either transport is reached here on both, in every
// dialect: what the client is told, and what is counted. docs/hardening.md has the table; the rows
// that only one transport has are tested with that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/auth/key_parser.h"
#include "server/auth/token_verifier.h"
#include "tests/parity/parity_fixture.h"
#include "tests/support/frames.h"
#include "tests/support/grpc_client.h"
#include "tests/support/loopback.h"
#include "tests/support/tokens.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LimitsTest : public ParityTest, public ::testing::WithParamInterface<Speech> {
 protected:
  ~LimitsTest() override { StopServer(); }

  std::string transport() const { return GetParam() == Speech::kGrpc ? "grpc" : "websocket"; }
  std::string Refusals(const std::string& outcome) const {
    return "crier_refusals_total{transport=\"" + transport() + "\",outcome=\"" + outcome + "\"}";
  }
  void ExpectRefused(Peer& peer, const v1::ClientFrame& frame, Outcome outcome) {
    peer.Send(frame);
    EXPECT_EQ(peer.Next().error().outcome(), Info(outcome).name);
    EXPECT_GE(Metric(Refusals(std::string(Info(outcome).label))), 1);
  }
  // Events that are no errors come before it.
  void ExpectRefusedAmong(Peer& peer, Outcome outcome) {
    v1::Event event = peer.Next();
    while (!event.has_error() && !HasFailure()) event = peer.Next();
    EXPECT_EQ(event.error().outcome(), Info(outcome).name);
    EXPECT_GE(Metric(Refusals(std::string(Info(outcome).label))), 1);
  }
  void ExpectEnding(Peer& peer, Outcome outcome) {
    const Ending ending = peer.WaitForEnd();
    EXPECT_EQ(ending.code, peer.CodeOf(Info(outcome)));
    EXPECT_EQ(ending.outcome, Info(outcome).name);
  }
  void ExpectStays(Peer& peer) {
    peer.Send(AsFrame(Direct("still here")));
    EXPECT_EQ(peer.Next().message().body(), "still here");
  }
  // The port of the transport.
  std::string address() const {
    return GetParam() == Speech::kGrpc ? grpc_address() : http_address();
  }
  // What a connection is told that is refused as soon as it is there.
  std::string Farewell() const {
    const UniqueFd fd = ConnectTo(address());
    return ReadUntil(fd.get(), "no such text");
  }
  // Refused connections are told the outcome's name on gRPC's port, and a status on HTTP's.
  auto IsRefusal(const std::string& name, int status, const std::string& words) const {
    const std::string begin =
        GetParam() == Speech::kGrpc ? name + ": " : "HTTP/1.1 " + std::to_string(status);
    return AllOf(HasSubstr(begin), HasSubstr(words));
  }
  static std::string RefusedConnections(const std::string& reason) {
    return "crier_connections_refused_total{reason=\"" + reason + "\"}";
  }
};

INSTANTIATE_TEST_SUITE_P(Speech, LimitsTest, ::testing::ValuesIn(kEverySpeech),
                         [](const ::testing::TestParamInfo<Speech>& speech) {
                           return NameOf(speech.param);
                         });

// --- What is in a frame.

TEST_P(LimitsTest, ABody) {
  engine_options_.max_body_bytes = 1000;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  ExpectRefused(*alice, AsFrame(Direct(std::string(1001, 'x'))), Outcome::kMessageTooBig);
  alice->Send(AsFrame(Direct(std::string(1000, 'x'))));
  EXPECT_EQ(alice->Next().message().body().size(), 1000u);
}

TEST_P(LimitsTest, NamesAndIds) {
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  ExpectRefused(*alice, Subscribe(std::string(256, 't')), Outcome::kInvalidMessage);
  ExpectRefused(*alice, AsFrame(Direct("x", std::string(256, 'u'))), Outcome::kInvalidMessage);
  ExpectRefused(*alice, AsFrame(Broadcast("x", "", std::string(65, 'i'))),
                Outcome::kInvalidMessage);
  ExpectStays(*alice);
}

TEST_P(LimitsTest, TopicsOfASession) {
  engine_options_.max_topics_per_session = 2;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  for (const char* topic : {"one", "two"}) {
    alice->Send(Subscribe(topic, topic));
    EXPECT_EQ(alice->Next().ack().id(), topic);
  }
  ExpectRefused(*alice, Subscribe("three", "three"), Outcome::kTooManyTopics);
}

// --- Rates.

TEST_P(LimitsTest, MessagesInASecond) {
  engine_options_.max_messages_per_second = 5;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  for (int i = 0; i < 50; ++i) alice->Send(AsFrame(Direct("x")));
  ExpectRefusedAmong(*alice, Outcome::kRateLimited);
}

TEST_P(LimitsTest, BytesInASecond) {
  engine_options_.max_bytes_per_second = 1000;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  // One message may be longer than what is left, and takes from what comes.
  alice->Send(AsFrame(Direct(std::string(30'000, 'x'))));
  EXPECT_EQ(alice->Next().message().body().size(), 30'000u);
  ExpectRefused(*alice, AsFrame(Direct("x")), Outcome::kRateLimited);
}

// What asks for an answer costs one, whatever layer it is of.
TEST_P(LimitsTest, PingsInASecond) {
  engine_options_.max_messages_per_second = 4;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  for (int i = 0; i < 40; ++i) {
    if (alice->socket() != nullptr) {
      alice->socket()->SendFrame(kPing, "");
    } else {
      alice->Send(Ping("p"));
    }
  }
  ExpectRefusedAmong(*alice, Outcome::kRateLimited);
}

TEST_P(LimitsTest, NewTokensInASecond) {
  TokenVerifier verifier{TokenRules{}};
  verifier.SetKeys(*ParseKeyFile(kTestSecret));
  engine_options_.authenticator = &verifier;
  StartServer();
  const std::string token = TokenFor("alice", R"("crier.subscribe":[""],"crier.direct":true)");
  const auto alice = Connect(GetParam(), Login{.token = token});
  v1::ClientFrame frame;
  frame.mutable_auth()->set_token(token);
  frame.mutable_auth()->set_id("new");
  for (int i = 0; i < 60; ++i) alice->Send(frame);
  ExpectRefusedAmong(*alice, Outcome::kRateLimited);
  EXPECT_GE(Metric("crier_authentications_refused_total{reason=\"too_many\"}"), 1);
  StopServer();  // before what it verifies with
}

// One request of gRPC may follow as many topics as a session may, whatever the rate.
TEST_F(ParityTest, ASubscribeIsOneMessage) {
  engine_options_.max_messages_per_second = 2;
  StartServer();
  v1::SubscribeRequest request;
  for (int i = 0; i < 20; ++i) request.add_topics("t" + std::to_string(i));
  GrpcClient client(grpc_address());
  const auto stream = client.Subscribe(request);
  stream->NextWelcome();
  v1::PublishResponse response;
  // The subscriptions are on their way to their topics' shards.
  for (int i = 0; i < 1000 && response.recipients() == 0; ++i) {
    ASSERT_TRUE(client.Publish(Broadcast("x", "t19"), &response).ok());
  }
  EXPECT_EQ(stream->NextMessage().body(), "x");
}

TEST_P(LimitsTest, RefusedMessages) {
  engine_options_.max_errors = 3;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  for (int i = 0; i < 3; ++i) alice->SendGarbage();
  ExpectEnding(*alice, Outcome::kInvalidMessage);
}

// --- Sessions and connections.

TEST_P(LimitsTest, SessionsOfAUser) {
  engine_options_.max_sessions_per_user = 2;
  StartServer();
  // One by each transport.
  auto first = Connect(Speech::kGrpc, "alice");
  const auto second = Connect(Speech::kJson, "alice");
  LetMailArrive();
  const auto third = Connect(GetParam(), Login{.user = "alice", .quiet = true});
  ExpectEnding(*third, Outcome::kTooManySessions);
  if (third->socket() != nullptr) third->socket()->SendClose(4430);
  AwaitMetric("crier_sessions_ended_total{transport=\"" + transport() +
              "\",outcome=\"too_many_sessions\"}");
  const auto bob = Connect(GetParam(), "bob");
  ExpectStays(*bob);
  ExpectStays(*second);
  // Who leaves makes room, once the user's home has heard of it.
  first.reset();
  AwaitMetric("crier_sessions_ended_total{transport=\"grpc\",outcome=\"ok\"}");
  LetMailArrive();
  ExpectStays(*Connect(GetParam(), "alice"));
}

// A session that names its user only in its first frame.
TEST_P(LimitsTest, SessionsOfAUserThatIsNamedLater) {
  engine_options_.max_sessions_per_user = 1;
  StartServer();
  const auto first = Connect(Speech::kJson, "alice");
  const auto nobody = Connect(GetParam(), "");
  const auto another = Connect(GetParam(), "");
  LetMailArrive();
  v1::Message message = Direct("x");
  message.set_user_id("alice");
  nobody->Send(AsFrame(message));
  ExpectEnding(*nobody, Outcome::kTooManySessions);
  ExpectStays(*another);
  ExpectStays(*first);
}

TEST_P(LimitsTest, ConnectionsInAll) {
  connection_limits_.total = 1;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  if (GetParam() == Speech::kGrpc) {
    EXPECT_THAT(Farewell(), HasSubstr("TOO_MANY_SESSIONS: the server has reached its limit"));
  } else {
    // Beyond the limit it may ask how the server is, and nothing else.
    EXPECT_THAT(HttpGet(http_address(), "/"),
                AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("reached its limit of connections")));
  }
  EXPECT_GE(Metric(RefusedConnections("total")), 1);
  ExpectStays(*alice);
}

TEST_P(LimitsTest, ConnectionsOfAnAddress) {
  connection_limits_.per_address = 1;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  EXPECT_THAT(Farewell(), IsRefusal("TOO_MANY_SESSIONS", 503, "limit of connections from one"));
  EXPECT_EQ(Metric(RefusedConnections("per_address")), 1);
  ExpectStays(*alice);
}

TEST_P(LimitsTest, ConnectionsInASecondFromAnAddress) {
  connection_limits_.rates = {.total = 0, .per_address = 1};
  StartServer();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(ConnectTo(address()).valid());
  const std::string farewell = Farewell();
  EXPECT_THAT(farewell, IsRefusal("RATE_LIMITED", 429, "in a second"));
  EXPECT_THAT(farewell, HasSubstr("from one address"));
  EXPECT_GE(Metric(RefusedConnections("rate_per_address")), 1);
}

TEST_P(LimitsTest, ConnectionsInASecond) {
  connection_limits_.rates = {.total = 1, .per_address = 0};
  StartServer();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(ConnectTo(address()).valid());
  EXPECT_THAT(Farewell(), IsRefusal("RATE_LIMITED", 429, "more connections come in a second than"));
  EXPECT_GE(Metric(RefusedConnections("rate")), 1);
}

// Calls have no session whose rate would count: the address does, on both ports together.
TEST_F(ParityTest, CallsInASecondFromAnAddress) {
  connection_limits_.calls_per_address = 1;
  StartServer();
  GrpcClient client(grpc_address());
  v1::PublishResponse response;
  int published = 0;
  grpc::Status refusal;
  while (refusal.ok() && published < 100) {
    refusal = client.Publish(Broadcast("x"), &response);
    if (refusal.ok()) ++published;
  }
  EXPECT_GE(published, 5);  // a burst
  EXPECT_EQ(refusal.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refusal.error_message(),
            "more calls come in a second from this address than this server takes (1)");
  // The opening of a stream is a call too.
  EXPECT_EQ(client.Connect("alice")->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  WebSocketClient http(http_address());
  const std::string body = R"({"message":{"broadcast":{},"body":"eA=="}})";
  http.SendRaw("POST /crier.v1.Messaging/Publish HTTP/1.1\r\nHost: " + http_address() +
               "\r\nContent-Type: application/json\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
  http.ReadResponseHeader();
  EXPECT_THAT(http.response() + http.ReadBody(),
              AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("RATE_LIMITED"),
                    HasSubstr("more calls come in a second from this address")));
  EXPECT_GE(Metric("crier_calls_refused_total"), 3);
  // A session has limits of its own.
  const auto bob = Connect(Speech::kJson, "bob");
  bob->Send(AsFrame(Direct("still here")));
  EXPECT_EQ(bob->Next().message().body(), "still here");
}

// --- Times.

TEST_P(LimitsTest, AHandshake) {
  websocket_options_.handshake_timeout = milliseconds(100);
  grpc_options_.handshake_timeout = milliseconds(100);
  StartServer();
  const UniqueFd silent = ConnectTo(address());
  EXPECT_TRUE(WaitForClose(silent.get()));
  AwaitMetric("crier_handshakes_timed_out_total{transport=\"" + transport() + "\"}");
}

// --- What the server keeps.

TEST_P(LimitsTest, TheMemoryBudget) {
  engine_options_.memory_budget = 300 << 10;
  engine_options_.topic_log.bytes = 16 << 20;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  // A topic that is followed does not give way.
  alice->Send(Subscribe("t", "s"));
  EXPECT_EQ(alice->Next().ack().id(), "s");
  std::string outcome;
  for (int i = 0; i < 1000 && outcome.empty() && !HasFailure(); ++i) {
    std::string topic = "t" + std::to_string(i % 100);
    alice->Send(i < 100 ? Subscribe(topic, "f")
                        : AsFrame(Broadcast(std::string(8000, 'x'), topic)));
    outcome = alice->Next().error().outcome();
  }
  EXPECT_EQ(outcome, "OVERLOADED");
  EXPECT_GE(Metric(Refusals("overloaded")), 1);
}

TEST_P(LimitsTest, Topics) {
  engine_options_.max_topics = 2;  // and the one without a name is one
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  alice->Send(Subscribe("one", "1"));
  EXPECT_EQ(alice->Next().ack().id(), "1");
  ExpectRefused(*alice, Subscribe("two", "2"), Outcome::kOverloaded);
  EXPECT_EQ(Metric("crier_topics"), 2);
}

TEST_P(LimitsTest, EventsOfATopic) {
  engine_options_.topic_log.events = 2;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  uint64_t epoch = 0;
  for (int i = 0; i < 8; ++i) {
    alice->Send(AsFrame(Broadcast("x", "t", "id" + std::to_string(i))));
    epoch = alice->Next().ack().epoch();
  }
  alice->Send(SubscribeFrom(At("t", epoch, 1)));
  v1::Event event = alice->Next();
  EXPECT_EQ(event.gap().first(), 2u) << event.ShortDebugString();
  EXPECT_EQ(event.gap().last(), 6u);
  EXPECT_EQ(event.gap().reason(), v1::EXPIRED);
  for (uint64_t offset : {7, 8}) EXPECT_EQ(alice->Next().message().offset(), offset);
  EXPECT_EQ(Metric("crier_events_skipped_total{reason=\"expired\"}"), 5);
}

TEST_P(LimitsTest, RememberedIds) {
  engine_options_.remembered_ids = 1;
  StartServer();
  const auto alice = Connect(GetParam(), "alice");
  const auto is_duplicate = [&alice](const std::string& id) {
    alice->Send(AsFrame(Broadcast("x", "t", id)));
    return alice->Next().ack().duplicate();
  };
  EXPECT_FALSE(is_duplicate("a"));
  EXPECT_TRUE(is_duplicate("a"));
  EXPECT_FALSE(is_duplicate("b"));
  EXPECT_FALSE(is_duplicate("a")) << "it is forgotten";
}

// Of what others send, which does not stop anybody's reading.
TEST_P(LimitsTest, AMailbox) {
  engine_options_.mailbox.bytes = 16 << 10;
  StartServer();
  const auto sleeper = Connect(GetParam(), "sleeper");
  const auto sender = Connect(Speech::kProto, "sender");
  for (int i = 0, more = 50; i < 20'000 && more > 0; ++i) {
    if (lagging(GetParam()) > 0) --more;
    sender->Send(AsFrame(Direct(std::string(8000, 'x'), "sleeper")));
  }
  bool gap = false;
  for (int i = 0; i < 20'000 && !gap && !HasFailure(); ++i) {
    const v1::Event event = sleeper->Next();
    gap = event.has_gap() && event.gap().mailbox();
  }
  EXPECT_TRUE(gap);
  EXPECT_GE(Metric("crier_events_skipped_total{reason=\"slow_consumer\"}"), 1);
}

}  // namespace
}  // namespace crier::testing
