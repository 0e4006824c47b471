// What the engine counts.
#include <string>

#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class EngineMetricsTest : public EngineTest, public testing::WithParamInterface<size_t> {
 protected:
  EngineMetricsTest() { options.shards = GetParam(); }
  size_t Shard(size_t n) const { return n % options.shards; }

  uint64_t BroadcastsTimed() {
    uint64_t all = 0;
    for (size_t shard = 0; shard < options.shards; ++shard) {
      for (size_t i = 0; i <= Histogram::kBounds.size(); ++i) {
        all += metrics(shard).ws_broadcast_seconds.bucket(i);
      }
    }
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, EngineMetricsTest, testing::Values(1, 2));

TEST_P(EngineMetricsTest, EveryBroadcastIsTimedOnce) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  for (int i = 0; i < 10; ++i) alice->Broadcast("x");
  for (int i = 0; i < 5; ++i) alice->Broadcast("x", "nobody follows this");
  EXPECT_EQ(BroadcastsTimed(), 15u);
}

TEST_P(EngineMetricsTest, ALaggingSessionIsNotWaitedFor) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  bob->StopReading();
  alice->Broadcast("fills bob's kernel");
  for (int i = 0; i < 10; ++i) alice->Broadcast("x");
  EXPECT_EQ(BroadcastsTimed(), 11u);
}

// A transport that has a write on its way takes nothing until it is done, and does not lag.
class BusyClient final : public Transport {
 public:
  BusyClient(Engine* engine, size_t shard) {
    SessionOptions session;
    session.kind = TransportKind::kGrpc;
    session.encoding = &CanonicalEncoding();
    session.transport = this;
    session_ = engine->shard(shard).OpenSession(session);
    engine->RunUntilIdle();
  }
  ~BusyClient() override { session_->End(Outcome::kOk); }
  void Wake() override {
    if (busy) return;
    size_t bytes = 0;
    for (const Slice& slice : session_->Peek(1 << 20)) bytes += slice.size;
    if (bytes > 0) session_->Take(bytes);
  }
  void Close(Outcome, std::string_view) override {}
  void PauseReading() override {}
  void ResumeReading() override {}
  Session& session() { return *session_; }
  bool busy = false;

 private:
  Session* session_;
};

TEST_P(EngineMetricsTest, ABusySessionIsWaitedForUntilItTakesOrLags) {
  auto alice = Join("alice", Shard(0));
  BusyClient busy(&engine(), Shard(1));
  busy.busy = true;
  alice->Broadcast("a");
  alice->Broadcast("b");
  EXPECT_EQ(BroadcastsTimed(), 0u);
  clock.Advance(milliseconds(30));
  busy.busy = false;
  busy.session().WakeLater();
  engine().RunUntilIdle();
  EXPECT_EQ(BroadcastsTimed(), 2u);
  busy.busy = true;
  alice->Broadcast("c");
  EXPECT_EQ(BroadcastsTimed(), 2u);
  busy.session().SetBlocked(true);
  engine().RunUntilIdle();
  EXPECT_EQ(BroadcastsTimed(), 3u);
  double sum = 0;
  for (size_t i = 0; i < options.shards; ++i) sum += metrics(i).ws_broadcast_seconds.sum();
  EXPECT_NEAR(sum, 0.060, 0.001);
}

TEST_P(EngineMetricsTest, ASessionThatCatchesUpIsNotWaitedForBeforeItHas) {
  auto alice = Join("alice", Shard(0));
  BusyClient lagging(&engine(), Shard(1));
  lagging.busy = true;
  alice->Broadcast("a");
  lagging.session().SetBlocked(true);
  engine().RunUntilIdle();
  alice->Broadcast("b");
  // It can take bytes again, but has not taken the missed events yet.
  lagging.session().SetBlocked(false);
  alice->Broadcast("c");
  EXPECT_EQ(BroadcastsTimed(), 3u);
  lagging.busy = false;
  lagging.session().WakeLater();
  engine().RunUntilIdle();
  lagging.busy = true;
  alice->Broadcast("d");
  EXPECT_EQ(BroadcastsTimed(), 3u) << "it had everything, so it is waited for";
}

TEST_P(EngineMetricsTest, SessionsAndMessagesAreCountedByTransport) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  alice->Broadcast("x");
  bob->Direct("", "y");
  bob->Send({});
  const std::string text = all_metrics().Text();
  EXPECT_THAT(text, HasSubstr("crier_sessions{transport=\"grpc\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("crier_sessions{transport=\"websocket\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("crier_messages_received_total{"));
  const auto& websocket = metrics(Shard(1)).of(TransportKind::kWebSocket);
  EXPECT_EQ(websocket.received[static_cast<size_t>(ActionKind::kDirect)].value(), 1u);
  EXPECT_EQ(websocket.received[static_cast<size_t>(ActionKind::kInvalid)].value(), 1u);
  EXPECT_EQ(websocket.events_delivered.value(), 3u);  // broadcast, direct, error
}

TEST_P(EngineMetricsTest, RefusedFramesAreCountedByOutcome) {
  auto alice = Join("alice", Shard(0));
  auto bob = Join("bob", Shard(1), TextLineEncoding());
  alice->Direct("nobody", "x");
  bob->Direct("nobody", "y");
  bob->Direct("nobody", "z");
  bob->Send({});
  const std::string text = all_metrics().Text();
  const auto count = [](const std::string& transport, const std::string& outcome, int refused) {
    return "crier_refusals_total{transport=\"" + transport + "\",outcome=\"" + outcome + "\"} " +
           std::to_string(refused) + "\n";
  };
  EXPECT_THAT(text, HasSubstr(count("grpc", "no_recipient", 1)));
  EXPECT_THAT(text, HasSubstr(count("websocket", "no_recipient", 2)));
  EXPECT_THAT(text, HasSubstr(count("websocket", "invalid_message", 1)));
  EXPECT_THAT(text, HasSubstr(count("grpc", "invalid_message", 0)));
}

}  // namespace
}  // namespace crier
