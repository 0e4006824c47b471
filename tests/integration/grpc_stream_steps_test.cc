// StreamSession step by step: gRPC's side is played by the test, which completes each read and
// write by hand, in the order it chooses, on its own thread.
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/grpc/stream_session.h"
#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

// What gRPC was asked for, and what it has answered.
struct Calls {
  grpc::ByteBuffer* reading = nullptr;
  const grpc::ByteBuffer* writing = nullptr;
  std::vector<v1::ServerFrame> written;
  std::vector<const uint8_t*> first_bytes;  // where each write's first slice lies in memory
  std::vector<grpc::Status> finished;
  int reads = 0;
  int cancels = 0;
  bool destroyed = false;
};

class HandPlayedStream final : public StreamSession {
 public:
  HandPlayedStream(ShardStreams* streams, Calls* calls) : StreamSession(streams), calls_(*calls) {}
  ~HandPlayedStream() override { calls_.destroyed = true; }

  void Begin(const std::string& user) { Open(user, {}); }

  void FinishRead(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    grpc::ByteBuffer buffer(&slice, 1);
    std::exchange(calls_.reading, nullptr)->Swap(&buffer);
    ReadDone(true);
  }
  void FinishRead(const v1::ClientFrame& frame) { FinishRead(frame.SerializeAsString()); }
  void FailRead() {
    calls_.reading = nullptr;
    ReadDone(false);
  }
  void FinishWrite(bool ok = true) {
    calls_.writing = nullptr;
    WriteDone(ok);
  }
  void Leave() { Cancelled(); }
  void LetGo() { Done(); }

 private:
  void StartReading(grpc::ByteBuffer* buffer) override {
    EXPECT_TRUE(calls_.finished.empty()) << "a read was started after Finish";
    EXPECT_EQ(calls_.reading, nullptr) << "two reads at once";
    calls_.reading = buffer;
    ++calls_.reads;
  }
  void StartWriting(const grpc::ByteBuffer* buffer) override {
    EXPECT_TRUE(calls_.finished.empty()) << "a write was started after Finish";
    EXPECT_EQ(calls_.writing, nullptr) << "two writes at once";
    calls_.writing = buffer;
    std::vector<grpc::Slice> slices;
    EXPECT_TRUE(buffer->Dump(&slices).ok());
    std::string bytes;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    EXPECT_TRUE(calls_.written.emplace_back().ParseFromString(bytes));
    calls_.first_bytes.push_back(slices.front().begin());
  }
  void FinishCall(const grpc::Status& status) override {
    EXPECT_EQ(calls_.writing, nullptr) << "finished in the middle of a write";
    calls_.finished.push_back(status);
  }
  void CancelCall() override { ++calls_.cancels; }

  Calls& calls_;
};

class GrpcStreamStepsTest : public EngineTest {
 protected:
  // A stream that has begun, with its welcome written.
  struct Played {
    Calls calls;
    HandPlayedStream* stream = nullptr;
    bool let_go = false;
  };

  Played& Begin(const std::string& user = "alice") {
    if (streams_ == nullptr) {
      streams_ = std::make_unique<ShardStreams>(&engine().shard(0), std::chrono::seconds(10));
      engine().shard(0).Post(
          [this] { engine().shard(0).AddTicker([this](TimePoint now) { streams_->Tick(now); }); });
    }
    Played& played = played_.emplace_back();
    played.stream = new HandPlayedStream(streams_.get(), &played.calls);
    played.stream->Begin(user);
    engine().RunUntilIdle();
    return played;
  }
  Played& BeginPastWelcome(const std::string& user = "alice") {
    Played& played = Begin(user);
    played.stream->FinishWrite();
    Say(played, Ping("first"));  // no hello will come
    played.stream->FinishWrite();
    engine().RunUntilIdle();
    played.calls.written.clear();
    played.calls.first_bytes.clear();
    return played;
  }

  // gRPC lets go of everything that was finished, as it would.
  ~GrpcStreamStepsTest() override {
    for (Played& played : played_) {
      if (played.let_go) continue;
      played.stream->Leave();
      if (played.calls.writing != nullptr) played.stream->FinishWrite(false);
      engine().RunUntilIdle();
      EXPECT_EQ(played.calls.finished.size(), 1u);
      LetGo(played);
    }
  }
  void LetGo(Played& played) {
    played.let_go = true;
    played.stream->LetGo();
    engine().RunUntilIdle();
    EXPECT_TRUE(played.calls.destroyed);
  }

  static v1::ClientFrame Ping(const std::string& id) {
    v1::ClientFrame frame;
    frame.mutable_ping()->set_id(id);
    return frame;
  }
  static v1::ClientFrame Broadcast(const std::string& body) {
    v1::ClientFrame frame;
    frame.mutable_publish()->set_action_type(v1::BROADCAST);
    frame.mutable_publish()->set_body(body);
    return frame;
  }
  void Say(Played& played, const v1::ClientFrame& frame) {
    played.stream->FinishRead(frame);
    engine().RunUntilIdle();
  }
  // By somebody who is no stream.
  void Publish(const std::string& body) {
    v1::Message message;
    message.set_action_type(v1::BROADCAST);
    message.set_body(body);
    engine().Publish(std::move(message), [](const PublishResult&) {});
    engine().RunUntilIdle();
  }
  void CloseAll(Outcome outcome) {
    engine().shard(0).Post([this, outcome] {
      for (uint64_t id = 1; id < 10; ++id) {
        if (Session* session = engine().shard(0).FindSession(id)) {
          session->RequestClose(outcome, {});
        }
      }
    });
    engine().RunUntilIdle();
  }
  int64_t lagging() { return metrics().of(TransportKind::kGrpc).sessions_lagging.value(); }
  uint64_t ended(Outcome outcome) {
    return metrics().of(TransportKind::kGrpc).ended[static_cast<size_t>(outcome)].value();
  }

 private:
  std::unique_ptr<ShardStreams> streams_;
  std::deque<Played> played_;
};

TEST_F(GrpcStreamStepsTest, BeginsWithItsWelcomeAndOneRead) {
  Played& alice = Begin();
  ASSERT_EQ(alice.calls.written.size(), 1u);
  EXPECT_TRUE(alice.calls.written[0].events(0).has_welcome());
  EXPECT_EQ(alice.calls.reads, 1);
}

TEST_F(GrpcStreamStepsTest, WhatComesDuringAWriteLeavesAsTheNextOne) {
  Played& alice = BeginPastWelcome();
  Publish("1");
  ASSERT_EQ(alice.calls.written.size(), 1u);
  for (const char* body : {"2", "3", "4"}) Publish(body);
  EXPECT_EQ(alice.calls.written.size(), 1u);
  alice.stream->FinishWrite();
  engine().RunUntilIdle();
  ASSERT_EQ(alice.calls.written.size(), 2u);
  ASSERT_EQ(alice.calls.written[1].events_size(), 3);
  EXPECT_EQ(alice.calls.written[1].events(0).message().body(), "2");
  EXPECT_EQ(alice.calls.written[1].events(2).message().body(), "4");
}

TEST_F(GrpcStreamStepsTest, MoreThanOneWriteHoldsGoesOnByItself) {
  Played& alice = BeginPastWelcome();
  const std::string body(StreamSession::kWriteBudget / 2 + 1000, 'x');
  for (int i = 0; i < 5; ++i) Publish(body);
  int events = 0;
  while (alice.calls.writing != nullptr) {
    events += alice.calls.written.back().events_size();
    alice.stream->FinishWrite();
    engine().RunUntilIdle();
  }
  EXPECT_EQ(events, 5);
}

TEST_F(GrpcStreamStepsTest, AWriteThatEndsBetweenTwoEventsIsNotMissed) {
  Played& alice = BeginPastWelcome();
  Publish("1");
  alice.stream->FinishWrite();  // nobody waits for it
  Publish("2");
  ASSERT_EQ(alice.calls.written.size(), 2u);
  // And one that ends when somebody waits, before the shard has heard of it.
  Publish("3");
  alice.stream->FinishWrite();
  Publish("4");
  ASSERT_EQ(alice.calls.written.size(), 3u);
  EXPECT_EQ(alice.calls.written[2].events(0).message().body(), "3");
}

TEST_F(GrpcStreamStepsTest, StreamsAtTheSameCursorShareTheBytes) {
  Played& alice = BeginPastWelcome("alice");
  Played& bob = BeginPastWelcome("bob");
  Publish(std::string(100, 'x'));
  ASSERT_EQ(alice.calls.first_bytes.size(), 1u);
  ASSERT_EQ(bob.calls.first_bytes.size(), 1u);
  EXPECT_EQ(alice.calls.first_bytes[0], bob.calls.first_bytes[0]);
}

TEST_F(GrpcStreamStepsTest, AWriteThatTakesLongMakesTheSessionLagUntilItEnds) {
  Played& alice = BeginPastWelcome();
  Publish("1");
  Pass(StreamSession::kBlockedAfter);
  EXPECT_EQ(lagging(), 0);
  Pass(2 * StreamSession::kBlockedAfter);
  EXPECT_EQ(lagging(), 1);
  Publish("2");
  alice.stream->FinishWrite();
  engine().RunUntilIdle();
  EXPECT_EQ(lagging(), 0);
  ASSERT_EQ(alice.calls.written.size(), 2u);
  EXPECT_EQ(alice.calls.written[1].events(0).message().body(), "2");
}

TEST_F(GrpcStreamStepsTest, ReadsAheadUpToItsBoundAndNoFurther) {
  Played& alice = BeginPastWelcome();
  int sent = 0;
  // The shard does not run: nothing is handled.
  while (alice.calls.reading != nullptr) {
    ASSERT_LT(sent, 1000);
    alice.stream->FinishRead(Ping(std::to_string(sent++)));
  }
  EXPECT_GT(sent, 1);
  EXPECT_LE(static_cast<size_t>(sent) * StreamSession::kFrameCost,
            StreamSession::kReadAhead + StreamSession::kFrameCost);
  engine().RunUntilIdle();
  EXPECT_NE(alice.calls.reading, nullptr) << "it does not read on";
  ASSERT_EQ(alice.calls.written.size(), 1u) << "one burst, one write";
  EXPECT_EQ(alice.calls.written[0].events_size(), sent);
}

TEST_F(GrpcStreamStepsTest, HalfClosedItOnlyListens) {
  Played& alice = BeginPastWelcome();
  alice.stream->FailRead();
  engine().RunUntilIdle();
  Publish("still there");
  ASSERT_EQ(alice.calls.written.size(), 1u);
  EXPECT_TRUE(alice.calls.finished.empty());
  EXPECT_EQ(alice.calls.reading, nullptr);
}

TEST_F(GrpcStreamStepsTest, ClosedWhenIdleItFinishesAtOnce) {
  Played& alice = BeginPastWelcome();
  CloseAll(Outcome::kShutdown);
  ASSERT_EQ(alice.calls.finished.size(), 1u);
  EXPECT_EQ(alice.calls.finished[0].error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ended(Outcome::kShutdown), 1u);
}

TEST_F(GrpcStreamStepsTest, ClosedDuringAWriteItFinishesBehindIt) {
  Played& alice = BeginPastWelcome();
  Publish("on its way");
  CloseAll(Outcome::kSlowConsumer);
  EXPECT_TRUE(alice.calls.finished.empty());
  EXPECT_EQ(ended(Outcome::kSlowConsumer), 1u) << "the session waits for nobody";
  alice.stream->FinishWrite();
  engine().RunUntilIdle();
  ASSERT_EQ(alice.calls.finished.size(), 1u);
  EXPECT_EQ(alice.calls.finished[0].error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcStreamStepsTest, ClosedAndNeverTakenItIsCutOff) {
  Played& alice = BeginPastWelcome();
  Publish("on its way");
  CloseAll(Outcome::kSlowConsumer);
  Pass(std::chrono::seconds(10));
  EXPECT_EQ(alice.calls.cancels, 0);
  Pass(std::chrono::milliseconds(200));
  EXPECT_EQ(alice.calls.cancels, 1);
  alice.stream->Leave();
  alice.stream->FinishWrite(false);
  engine().RunUntilIdle();
  EXPECT_EQ(alice.calls.finished.size(), 1u);
}

TEST_F(GrpcStreamStepsTest, LeavesInAnyOrderOfGrpcsCallsAndFinishesOnce) {
  using Step = std::function<void(Played&)>;
  const Step leave = [](Played& p) { p.stream->Leave(); };
  const Step fail_write = [](Played& p) { p.stream->FinishWrite(false); };
  const Step end_write = [](Played& p) { p.stream->FinishWrite(true); };
  const Step fail_read = [](Played& p) { p.stream->FailRead(); };
  const Step run = [this](Played&) { engine().RunUntilIdle(); };
  const std::vector<std::vector<Step>> orders = {
      {leave, fail_write, fail_read},      {fail_write, leave, fail_read},
      {fail_read, fail_write, leave},      {leave, run, fail_write, fail_read},
      {fail_write, run, leave, fail_read}, {end_write, leave, fail_read},
      {leave, run, end_write, fail_read},  {leave, run, fail_read, run, fail_write}};
  uint64_t gone = 0;
  for (const std::vector<Step>& order : orders) {
    Played& played = BeginPastWelcome();
    Publish("on its way");
    for (const Step& step : order) step(played);
    engine().RunUntilIdle();
    EXPECT_EQ(played.calls.finished.size(), 1u) << "in order " << gone;
    EXPECT_EQ(ended(Outcome::kOk), ++gone);
    LetGo(played);
  }
}

TEST_F(GrpcStreamStepsTest, GoneBeforeItBegan) {
  ShardStreams streams(&engine().shard(0), std::chrono::seconds(10));
  Calls calls;
  auto* stream = new HandPlayedStream(&streams, &calls);
  stream->Begin("alice");
  stream->Leave();
  engine().RunUntilIdle();
  EXPECT_TRUE(calls.written.empty());
  EXPECT_EQ(calls.finished.size(), 1u);
  stream->LetGo();
  engine().RunUntilIdle();
  EXPECT_TRUE(calls.destroyed);
}

TEST_F(GrpcStreamStepsTest, AFrameThatComesAfterTheCloseIsDropped) {
  Played& alice = BeginPastWelcome();
  CloseAll(Outcome::kDisconnectedByAdmin);
  ASSERT_EQ(alice.calls.finished.size(), 1u);
  alice.stream->FinishRead(Broadcast("too late"));
  engine().RunUntilIdle();
  EXPECT_EQ(alice.calls.reading, nullptr) << "a read was started after Finish";
  EXPECT_TRUE(alice.calls.written.empty());
  Played& bob = BeginPastWelcome("bob");
  Publish("next");
  ASSERT_EQ(bob.calls.written.size(), 1u);
  EXPECT_EQ(bob.calls.written[0].events(0).message().offset(), 1u);
}

}  // namespace
}  // namespace crier
