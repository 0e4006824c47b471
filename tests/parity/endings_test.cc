// Every outcome of the table and every way in which a session ends with it, on every transport and
// dialect: the client is told what the table says, never a close without a close frame (1006) or
// the status UNKNOWN, and no metric has a label that is not in a table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crier/v1/admin.pb.h"
#include "server/admin/admin_server.h"
#include "server/auth/key_parser.h"
#include "server/auth/token_verifier.h"
#include "tests/parity/parity_fixture.h"
#include "tests/parity/raw_call_peer.h"
#include "tests/support/frames.h"
#include "tests/support/grpc_client.h"
#include "tests/support/throwing_clock.h"
#include "tests/support/tokens.h"

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::MatchesRegex;

using PeerPtr = std::unique_ptr<Peer>;

class EndingsTest : public ParityTest {
 protected:
  ~EndingsTest() override { StopServer(); }

  // --- What provokes an ending. Each starts the server and returns the peer whose session ends.

  PeerPtr Leave(Speech speech) {
    StartServer();
    if (speech == Speech::kGrpc) {
      auto call = StartRawCall();
      call->Cancel();
      return call;
    }
    PeerPtr peer = Connect(speech, "alice");
    peer->socket()->SendClose(1000);
    return peer;
  }

  PeerPtr Drain(Speech speech) {
    StartServer();
    PeerPtr peer = Connect(speech, "alice");
    engine().Drain(milliseconds(100), [] {});
    return peer;
  }

  PeerPtr BreakTheProtocol(Speech speech) {
    StartServer();
    if (speech == Speech::kGrpc) {
      // A message that begins with neither 0 nor 1.
      auto call = StartRawCall();
      call->SendRaw(std::string("\7\0\0\0\0", 5));
      return call;
    }
    PeerPtr peer = Connect(speech, "alice");
    constexpr uint8_t kReserved = 3;
    peer->socket()->SendFrame(kReserved, "x");
    return peer;
  }

  PeerPtr SendTheOtherKind(Speech speech) {
    engine_options_.max_errors = 3;
    StartServer();
    PeerPtr peer = Connect(speech, "alice");
    for (int i = 0; i < 3; ++i) {
      peer->socket()->SendFrame(speech == Speech::kProto ? kText : kBinary, "x");
    }
    return peer;
  }

  PeerPtr SendWhatIsNotUtf8(Speech speech) {
    StartServer();
    if (speech == Speech::kGrpc) return StartRawCall({{"crier-user-id", "\xff"}});
    PeerPtr peer = Connect(speech, "alice");
    peer->socket()->SendFrame(kText, "\xff");
    return peer;
  }

  PeerPtr SendGarbage(Speech speech) {
    engine_options_.max_errors = 3;
    StartServer();
    PeerPtr peer = Connect(speech, "alice");
    for (int i = 0; i < 3; ++i) peer->SendGarbage();
    return peer;
  }

  PeerPtr BringNoToken(Speech speech) {
    Authenticate();
    engine_options_.token_timeout = milliseconds(200);
    StartServer();
    return Connect(speech, Login{.quiet = true});
  }

  PeerPtr LetTheTokenEnd(Speech speech) {
    Authenticate();
    StartServer();
    return Connect(speech, Login{.token = TokenFor("alice", kEverything, 2)});
  }

  PeerPtr LosePermission(Speech speech) {
    Authenticate();
    StartServer();
    PeerPtr peer = Connect(speech, Login{.token = TokenFor("alice", kEverything)});
    v1::ClientFrame frame;
    frame.mutable_auth()->set_token(TokenFor("alice", R"("crier.subscribe":["other"])"));
    peer->Send(frame);
    return peer;
  }

  PeerPtr SendTooMuch(Speech speech) {
    StartServer();
    PeerPtr peer = Connect(speech, "alice");
    const size_t bytes = 1 + (speech == Speech::kGrpc ? grpc_options_.max_receive_bytes
                                                      : websocket_options_.max_message_bytes);
    peer->Send(AsFrame(Direct(std::string(bytes, 'x'))));
    return peer;
  }

  PeerPtr SendTooFast(Speech speech) {
    engine_options_.max_messages_per_second = 2;
    engine_options_.max_errors = 3;
    StartServer();
    PeerPtr peer = Connect(speech, "alice");
    for (int i = 0; i < 10; ++i) peer->Send(AsFrame(Direct("x")));
    return peer;
  }

  PeerPtr ComeOnceTooOften(Speech speech) {
    engine_options_.max_sessions_per_user = 1;
    StartServer();
    others_.push_back(Connect(Speech::kJson, "alice"));
    LetMailArrive();
    return Connect(speech, Login{.user = "alice", .quiet = true});
  }

  PeerPtr ReadTooSlowly(Speech speech) {
    engine_options_.topic_log.bytes = 256 << 10;
    engine_options_.slow_consumer_policy = v1::CLOSE;
    StartServer();
    PeerPtr slow = Connect(speech, "slow");
    others_.push_back(Connect(Speech::kProto, "publisher"));
    Peer* const publisher = others_.back().get();
    const std::string ended = EndedBy(speech, Outcome::kSlowConsumer);
    // Of what the kernel takes for a client that does not read.
    for (int i = 0; i < 20'000 && Metric(ended) == 0 && !HasFailure(); ++i) {
      publisher->Send(AsFrame(Broadcast(std::string(8000, 'x'))));
      publisher->Next();
      if (lagging(speech) == 0 && i > 100 && IsClosing(speech)) break;
    }
    return slow;
  }

  PeerPtr FallSilent(Speech speech) {
    websocket_options_.ping_interval = milliseconds(400);
    websocket_options_.ping_timeout = milliseconds(400);
    grpc_options_.keepalive_time = milliseconds(400);
    grpc_options_.keepalive_timeout = milliseconds(400);
    StartServer();
    // A peer reads, and so answers pings, only when it is asked for something.
    return speech == Speech::kGrpc ? StartRawCall() : Connect(speech, "alice");
  }

  PeerPtr BeDisconnected(Speech speech) {
    StartServer();
    PeerPtr peer = Connect(speech, "alice");
    AdminServer admin(&engine(), {});
    EXPECT_TRUE(admin.Listen("127.0.0.1:0").ok());
    EXPECT_TRUE(admin.Start().ok());
    v1::DisconnectRequest request;
    request.set_user_id("alice");
    std::string response;
    GrpcClient client(admin.addresses());
    EXPECT_TRUE(
        client.Call("/crier.v1.Admin/Disconnect", request.SerializeAsString(), &response).ok());
    return peer;
  }

  // Half of a message that is larger than all that clients may make the server keep.
  PeerPtr UseUpTheMemory(Speech speech) {
    engine_options_.memory_budget = 100 << 10;
    StartServer();
    if (speech == Speech::kGrpc) {
      auto call = StartRawCall();
      call->SendRaw(std::string("\0\0\2\0\0", 5) + std::string(120 << 10, 'x'));
      return call;
    }
    PeerPtr peer = Connect(speech, "alice");
    const uint8_t opcode = speech == Speech::kProto ? kBinary : kText;
    const std::string whole = WebSocketClient::MaskedFrame(opcode, std::string(300 << 10, 'x'));
    peer->socket()->SendRaw(std::string_view(whole).substr(0, 200 << 10));
    return peer;
  }

  PeerPtr Break(Speech speech) {
    StartServer();
    if (speech == Speech::kGrpc) {
      auto call = StartRawCall();
      call->Drop();
      return call;
    }
    PeerPtr peer = Connect(speech, "alice");
    peer->socket()->Reset();
    return peer;
  }

  PeerPtr MakeTheServerThrow(Speech speech) {
    clock_ = &throwing_clock_;
    StartServer();
    PeerPtr peer = Connect(speech, "alice");
    throwing_clock_.wall_throws = 1;
    peer->Send(AsFrame(Direct("x")));
    return peer;
  }

  static std::string EndedBy(Speech speech, Outcome outcome) {
    return std::string("crier_sessions_ended_total{transport=\"") +
           (speech == Speech::kGrpc ? "grpc" : "websocket") + "\",outcome=\"" +
           std::string(Info(outcome).label) + "\"}";
  }

  // Every label of /metrics that names an outcome is the table's, and no call ended with UNKNOWN.
  void ExpectLabelsOfTheTable() const {
    std::set<std::string> labels;
    for (const OutcomeInfo& info : AllOutcomes()) labels.emplace(info.label);
    const std::string text = MetricsText();
    constexpr std::string_view kLabel = "outcome=\"";
    size_t seen = 0;
    for (size_t at = text.find(kLabel); at != text.npos; at = text.find(kLabel, at)) {
      at += kLabel.size();
      const std::string label = text.substr(at, text.find('"', at) - at);
      EXPECT_TRUE(labels.contains(label)) << label;
      ++seen;
    }
    EXPECT_EQ(seen, 4 * kOutcomeCount) << "ended and refused, on two transports";
    EXPECT_EQ(text.find("grpc_code=\"Unknown\""), text.npos);
  }

 private:
  static constexpr char kEverything[] =
      R"("crier":{"publish":["**"],"subscribe":["**"],"direct":true})";

  void Authenticate() {
    verifier_.SetKeys(*ParseKeyFile(kTestSecret));
    engine_options_.authenticator = &verifier_;
  }
  std::unique_ptr<RawCallPeer> StartRawCall(const Http2Client::Fields& more = {}) {
    return std::make_unique<RawCallPeer>(grpc_address(), more);
  }
  // A session that was asked to close: it counts no more as lagging, and not yet as ended.
  bool IsClosing(Speech speech) {
    bool closing = false;
    OnEveryShard([&](Shard& shard) {
      for (uint64_t id = 0; Session* session = shard.sessions().Next(id); id = session->id()) {
        closing |= session->closing() &&
                   (session->kind() == TransportKind::kGrpc) == (speech == Speech::kGrpc);
      }
    });
    return closing;
  }

  TokenVerifier verifier_{TokenRules{.leeway = 0}};
  ThrowingClock throwing_clock_;
  std::vector<PeerPtr> others_;
};

// How a session ends with an outcome on one transport.
struct Way {
  // Null: no session ends with it there.
  PeerPtr (EndingsTest::*provoke)(Speech) = nullptr;
  // Why not; or, with `provoke`, why its client is not told.
  const char* reason = nullptr;
};

struct Row {
  Outcome outcome;
  Way websocket;
  Way grpc;
};

class Walk : public EndingsTest {
 public:
  static const std::vector<Row>& Rows() {
    static const std::vector<Row> rows = {
        {Outcome::kOk,
         {&Walk::Leave},
         {&Walk::Leave, "who leaves cancels the call, and its own library makes the status"}},
        {Outcome::kShutdown, {&Walk::Drain}, {&Walk::Drain}},
        {Outcome::kProtocolError, {&Walk::BreakTheProtocol}, {&Walk::BreakTheProtocol}},
        {Outcome::kUnsupportedData,
         {&Walk::SendTheOtherKind},
         {.reason = "messages of gRPC are all of one kind"}},
        {Outcome::kInvalidUtf8,
         {&Walk::SendWhatIsNotUtf8},
         {.reason = "a frame that is not UTF-8 is none of protobuf's (INVALID_MESSAGE), and a user "
                    "that is not ends the call before there is a session: below"}},
        {Outcome::kInvalidMessage, {&Walk::SendGarbage}, {&Walk::SendGarbage}},
        {Outcome::kUnauthenticated, {&Walk::BringNoToken}, {&Walk::BringNoToken}},
        {Outcome::kTokenExpired, {&Walk::LetTheTokenEnd}, {&Walk::LetTheTokenEnd}},
        {Outcome::kPermissionDenied, {&Walk::LosePermission}, {&Walk::LosePermission}},
        {Outcome::kNoRecipient,
         {.reason = "that nobody is there is no fault of the sender's: it is not counted"},
         {.reason = "the same; only calls without a session end with it"}},
        {Outcome::kMessageTooBig, {&Walk::SendTooMuch}, {&Walk::SendTooMuch}},
        {Outcome::kTooManyTopics,
         {.reason = "the session stays; after too many it ends as RATE_LIMITED"},
         {.reason = "the same"}},
        {Outcome::kRateLimited, {&Walk::SendTooFast}, {&Walk::SendTooFast}},
        {Outcome::kTooManySessions, {&Walk::ComeOnceTooOften}, {&Walk::ComeOnceTooOften}},
        {Outcome::kSlowConsumer, {&Walk::ReadTooSlowly}, {&Walk::ReadTooSlowly}},
        {Outcome::kIdleTimeout,
         {&Walk::FallSilent},
         {&Walk::FallSilent, "who answers no ping of HTTP/2 is gone, and is told nothing"}},
        {Outcome::kDisconnectedByAdmin, {&Walk::BeDisconnected}, {&Walk::BeDisconnected}},
        {Outcome::kOverloaded, {&Walk::UseUpTheMemory}, {&Walk::UseUpTheMemory}},
        {Outcome::kUnavailable,
         {.reason =
              "that the cluster does not answer is no fault of the sender's: it is not counted"},
         {.reason = "the same; only calls without a session end with it"}},
        {Outcome::kConnectionLost,
         {&Walk::Break, "nobody is there to be told"},
         {&Walk::Break, "nobody is there to be told"}},
        {Outcome::kInternal, {&Walk::MakeTheServerThrow}, {&Walk::MakeTheServerThrow}},
    };
    return rows;
  }
  static const Row* Find(Outcome outcome) {
    for (const Row& row : Rows()) {
      if (row.outcome == outcome) return &row;
    }
    return nullptr;
  }
};

TEST(EndingsTableTest, HasARowForEveryOutcome) {
  for (const OutcomeInfo& info : AllOutcomes()) {
    const Row* row = Walk::Find(info.outcome);
    ASSERT_NE(row, nullptr) << info.name << ": say how a session ends with it, or why none does";
    for (const Way& way : {row->websocket, row->grpc}) {
      EXPECT_TRUE(way.provoke != nullptr || way.reason != nullptr) << info.name;
    }
    const bool never = row->websocket.provoke == nullptr && row->grpc.provoke == nullptr;
    EXPECT_TRUE(never || info.repeated_close_code != 0) << info.name;
  }
  EXPECT_EQ(Walk::Rows().size(), AllOutcomes().size());
}

using Case = std::pair<Outcome, Speech>;

class WalkTest : public Walk, public ::testing::WithParamInterface<Case> {};

TEST_P(WalkTest, EndsAsTheTableSays) {
  const auto [outcome, speech] = GetParam();
  const OutcomeInfo& info = Info(outcome);
  const bool grpc = speech == Speech::kGrpc;
  const Way& way = grpc ? Find(outcome)->grpc : Find(outcome)->websocket;
  const PeerPtr peer = (this->*way.provoke)(speech);
  ASSERT_FALSE(HasFailure());
  if (way.reason == nullptr) {
    const Ending ending = peer->WaitForEnd();
    EXPECT_EQ(ending.code, peer->CodeOf(info));
    // Bytes that are no messages end a call as they would with any server of gRPC: without details.
    const bool of_reader =
        grpc && (outcome == Outcome::kProtocolError || outcome == Outcome::kMessageTooBig);
    if (outcome != Outcome::kOk && !of_reader) {
      EXPECT_EQ(ending.outcome, info.name);
    }
    if (info.advice == Advice::kRetryAfterSlot) {
      EXPECT_THAT(ending.retry_after_ms, MatchesRegex("[0-9]+"));
    } else {
      EXPECT_EQ(ending.retry_after_ms, "");
    }
    EXPECT_EQ(ending.pushback_ms, grpc ? ending.retry_after_ms : "");
    // The client's part of the farewell.
    if (peer->socket() != nullptr) peer->socket()->SendClose(1000);
  }
  AwaitMetric(EndedBy(speech, outcome));
  ExpectLabelsOfTheTable();
  const bool in_form = grpc || outcome != Outcome::kConnectionLost;
  EXPECT_EQ(Metric("ws_conn_closed_errors_total"), in_form ? 0 : 1);
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Row& row : Walk::Rows()) {
    for (const Speech speech : kEverySpeech) {
      const Way& way = speech == Speech::kGrpc ? row.grpc : row.websocket;
      if (way.provoke != nullptr) cases.emplace_back(row.outcome, speech);
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Outcomes, WalkTest, ::testing::ValuesIn(Cases()),
                         [](const ::testing::TestParamInfo<Case>& at) {
                           return std::string(Info(at.param.first).name) + "_" +
                                  NameOf(at.param.second);
                         });

TEST_F(EndingsTest, AUserThatIsNotUtf8EndsTheCall) {
  const PeerPtr call = SendWhatIsNotUtf8(Speech::kGrpc);
  const Ending ending = call->WaitForEnd();
  EXPECT_EQ(ending.code, Info(Outcome::kInvalidUtf8).grpc_status);
  EXPECT_EQ(ending.outcome, "INVALID_UTF8");
}

// All at once, on every shard.
class EverySessionEndsTest : public ParityTest,
                             public ::testing::WithParamInterface<OutcomeInfo> {};

TEST_P(EverySessionEndsTest, AsTheTableSays) {
  const OutcomeInfo& info = GetParam();
  StartServer();
  std::vector<PeerPtr> peers;
  for (const Speech speech : kEverySpeech) peers.push_back(Connect(speech, "alice"));
  // So that all sessions stand.
  peers[0]->Send(AsFrame(Direct("here", "alice")));
  for (const auto& peer : peers) peer->Next();
  OnEveryShard([&](Shard& shard) {
    for (uint64_t id = 1; id <= peers.size(); ++id) {
      if (Session* session = shard.sessions().Find(id)) session->RequestClose(info.outcome, {});
    }
  });
  for (size_t i = 0; i < peers.size(); ++i) {
    const Ending ending = peers[i]->WaitForEnd();
    EXPECT_EQ(ending.code, peers[i]->CodeOf(info)) << i;
    if (kEverySpeech[i] == Speech::kGrpc && info.outcome != Outcome::kOk) {
      EXPECT_EQ(ending.outcome, info.name);
    }
  }
}

std::vector<OutcomeInfo> Endings() {
  std::vector<OutcomeInfo> endings;
  for (const OutcomeInfo& info : AllOutcomes()) {
    if (info.repeated_close_code != 0) endings.push_back(info);
  }
  return endings;
}

INSTANTIATE_TEST_SUITE_P(Outcomes, EverySessionEndsTest, ::testing::ValuesIn(Endings()),
                         [](const ::testing::TestParamInfo<OutcomeInfo>& ending) {
                           return std::string(ending.param.name);
                         });

}  // namespace
}  // namespace crier::testing
