// An exception in a call's handler ends the call with INTERNAL, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "server/grpc/http2_connection.h"
#include "server/net/acceptor.h"
#include "server/transport/set_per_shard.h"
#include "tests/support/grpc_protocol_fixture.h"
#include "tests/support/throwing_clock.h"

namespace crier::testing {
namespace {

constexpr int kInternal = static_cast<int>(GrpcCode::kInternal);

// --- The server's own services.

class GrpcServiceExceptionsTest : public GrpcProtocolTest {
 protected:
  GrpcServiceExceptionsTest() {
    engine_options_.shards = 1;
    clock_ = &throwing_clock_;
  }
  ~GrpcServiceExceptionsTest() override { StopServer(); }  // before its clock goes

  uint64_t Exceptions() { return engine().metrics().shard(0).handler_exceptions.value(); }

  ThrowingClock throwing_clock_;
};

TEST_F(GrpcServiceExceptionsTest, AFrameThatCannotBeHandledEndsItsSessionOnly) {
  StartServer();
  Http2Client client(address());
  const int32_t broken = OpenSession(&client);
  const int32_t other = OpenSession(&client);
  throwing_clock_.wall_throws = 1;
  client.Send(broken, Framed(Ping("x")));
  const Stream& ended_stream = client.AwaitEnd(broken);
  EXPECT_EQ(CodeOf(ended_stream), kInternal);
  EXPECT_EQ(ReasonOf(ended_stream), "INTERNAL");
  Eventually("its session is gone", [&] { return sessions() == 1; });
  EXPECT_EQ(ended(Outcome::kInternal), 1u);
  EXPECT_EQ(Exceptions(), 1u);
  // The other call of the same connection.
  client.Send(other, Framed(Ping("y")));
  EXPECT_EQ(AwaitEvents(&client, other, 2).back().pong().id(), "y");
}

TEST_F(GrpcServiceExceptionsTest, AUnaryCallGetsItsStatus) {
  StartServer();
  Http2Client client(address());
  throwing_clock_.wall_throws = 1;
  const Stream& broken = Call(&client, kPublish, RequestOf(Broadcast("lost")).SerializeAsString());
  EXPECT_EQ(CodeOf(broken), kInternal);
  EXPECT_EQ(ReasonOf(broken), "INTERNAL");
  EXPECT_EQ(Exceptions(), 1u);
  Publish(&client, Broadcast("life goes on"));
}

// --- Handlers that throw at each of the places where they are called.

enum class Where { kNowhere, kStart, kMessage, kHalfClose, kPeek, kTake, kOver };

class ThrowingHandler final : public CallHandler {
 public:
  ThrowingHandler(Call* call, Where where) : call_(*call), where_(where) { At(Where::kStart); }

  void OnMessage(std::string_view message) override {
    At(Where::kMessage);
    text_ = "said: " + std::string(message);
    call_.Ready(/*in_turn=*/false);
  }
  void OnHalfClose() override {
    At(Where::kHalfClose);
    call_.Finish({});
  }
  void OnShutdown() override { call_.Finish({}); }
  void OnOver(Outcome) override { At(Where::kOver); }
  std::span<const Slice> Peek(size_t) override {
    if (text_.empty()) return {};
    At(Where::kPeek);
    slice_ = {.data = text_.data(), .size = text_.size(), .chunk = nullptr};
    return {&slice_, 1};
  }
  void Take(size_t) override {
    text_.clear();
    At(Where::kTake);
  }

 private:
  // Now an exception of the standard library, now something else.
  void At(Where where) const {
    if (where != where_) return;
    if (where == Where::kPeek) throw 7;
    throw std::bad_alloc();
  }

  ::crier::Call& call_;
  const Where where_;
  std::string text_;
  Slice slice_{};
};

// A server of one shard with methods of the test's own.
class GrpcHandlerExceptionsTest : public GrpcProtocolTest {
 protected:
  void SetUp() override {
    for (const auto& [path, where] : {std::pair{"/t/Good", Where::kNowhere},
                                      {"/t/Start", Where::kStart},
                                      {"/t/Message", Where::kMessage},
                                      {"/t/HalfClose", Where::kHalfClose},
                                      {"/t/Peek", Where::kPeek},
                                      {"/t/Take", Where::kTake},
                                      {"/t/Over", Where::kOver}}) {
      methods_.Add(path, [where = where](::crier::Call* call) {
        return std::make_unique<ThrowingHandler>(call, where);
      });
    }
    engine_.Start();
    ASSERT_TRUE(acceptor_.Listen("127.0.0.1:0").ok());
    ASSERT_TRUE(connections_.Start("gRPC", /*io_uring=*/false).ok());
    acceptor_.Start();
  }
  void TearDown() override {
    connections_.OnEach([this](GrpcConnections*) { acceptor_.Stop(); });
    connections_.Stop(std::chrono::milliseconds(100));
    engine_.Stop();
  }
  uint64_t Exceptions() { return metrics_.shard(0).handler_exceptions.value(); }

  void ExpectGood(Http2Client* client) {
    const int32_t id = client->Start(HeadOf("/t/Good"));
    client->Send(id, Framed("hello"));
    EXPECT_EQ(AwaitMessages(client, id, 1).front(), "said: hello");
    client->HalfClose(id);
    EXPECT_EQ(CodeOf(client->AwaitEnd(id)), 0);
  }

  Metrics metrics_{1};
  Engine engine_{EngineOptions{}, Clock::Real(), &metrics_};
  ConnectionTable table_{ConnectionTable::Limits{}};
  MethodTable methods_;
  SetPerShard<GrpcConnections> connections_{&engine_, [this](Shard* shard) {
                                              return std::make_shared<GrpcConnections>(
                                                  shard, &grpc_options_, &methods_);
                                            }};
  Acceptor acceptor_{engine_.shard(0).io(), &table_, [this](AcceptedConnection accepted) {
                       Http2Connection::Start(connections_.Of(engine_.shard(0)),
                                              std::move(accepted));
                     }};
};

TEST_F(GrpcHandlerExceptionsTest, EndItsCallWithInternal) {
  Http2Client client(acceptor_.addresses());
  uint64_t exceptions = 0;
  for (const char* path : {"/t/Start", "/t/Message", "/t/HalfClose", "/t/Peek", "/t/Take"}) {
    const int32_t id = client.Start(HeadOf(path));
    client.Send(id, Framed("hello"), /*half_close=*/path == std::string_view("/t/HalfClose"));
    const Stream& stream = client.AwaitEnd(id);
    EXPECT_EQ(CodeOf(stream), kInternal) << path;
    EXPECT_EQ(ReasonOf(stream), "INTERNAL") << path;
    EXPECT_EQ(Exceptions(), ++exceptions) << path;
    ExpectGood(&client);
  }
}

TEST_F(GrpcHandlerExceptionsTest, AtItsEndChangesNothingForTheClient) {
  Http2Client client(acceptor_.addresses());
  const int32_t id = client.Start(HeadOf("/t/Over"));
  client.Send(id, Framed("hello"), /*half_close=*/true);
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0);
  Eventually("it was counted", [&] { return Exceptions() == 1; });
  ExpectGood(&client);
}

}  // namespace
}  // namespace crier::testing
