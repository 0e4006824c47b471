// HTTP/2 connections: how they begin, what a client may not do on them, and how they end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/grpc/call.h"
#include "server/grpc/request_handler.h"
#include "tests/support/grpc_protocol_fixture.h"
#include "tests/support/loopback.h"

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// RFC 9113, section 3.4.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class GrpcConnectionTest : public GrpcProtocolTest {
 protected:
  // Sends a session's client a message, and waits until it is there.
  void ExpectServed(Http2Client* client, int32_t session) {
    const size_t before = EventsIn(client->stream(session)).size();
    client->Send(session, Framed(Ping("are you there")));
    EXPECT_EQ(AwaitEvents(client, session, before + 1).back().pong().id(), "are you there");
  }
};

// --- How it begins.

TEST_F(GrpcConnectionTest, TheServerSaysItsLimits) {
  grpc_options_.max_streams_per_connection = 77;
  grpc_options_.max_metadata_bytes = 1000;
  StartServer();
  Http2Client client(address());
  EXPECT_EQ(client.ServersSetting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), 77u);
  EXPECT_EQ(client.ServersSetting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE), 4000u);
}

TEST_F(GrpcConnectionTest, OneThatNeverSendsItsPrefaceIsClosed) {
  grpc_options_.handshake_timeout = milliseconds(100);
  StartServer();
  const UniqueFd fd = ConnectTo(address());
  EXPECT_TRUE(WaitForClose(fd.get()));
  Eventually("the connection is given back", [&] { return open_connections() == 0; });
}

TEST_F(GrpcConnectionTest, OneThatSendsAByteNowAndThenIsClosedToo) {
  grpc_options_.handshake_timeout = milliseconds(100);
  StartServer();
  // The preface, and the longest SETTINGS frame that nghttp2 takes: 32 of an unknown setting.
  std::string greeting(kPreface);
  greeting += std::string("\0\0\xC0\4\0\0\0\0\0", 9) + std::string(192, '\xF0');
  const UniqueFd fd = ConnectTo(address());
  bool closed = false;
  for (size_t i = 0; i < greeting.size() && !closed; ++i) {
    closed = !SendAll(fd.get(), greeting.substr(i, 1)) || WaitForClose(fd.get(), milliseconds(20));
  }
  EXPECT_TRUE(closed);
  Eventually("the connection is given back", [&] { return open_connections() == 0; });
}

TEST_F(GrpcConnectionTest, OneThatSendsAHeaderBlockByteByByteIsClosedToo) {
  grpc_options_.handshake_timeout = milliseconds(100);
  StartServer();
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  // A name of 100 bytes, in one frame of 120; and in a frame for each byte (CONTINUATION).
  const std::string block = std::string("\0\x64", 2) + std::string(100, 'a');
  const std::string whole("\0\0\x78\1\4\0\0\0\1", 9);
  const std::string first("\0\0\2\1\0\0\0\0\1\0\x64", 11);
  const std::string further("\0\0\1\x9\0\0\0\0\1", 9);
  for (const bool in_one : {true, false}) {
    const UniqueFd fd = ConnectTo(address());
    ASSERT_TRUE(SendAll(fd.get(), std::string(kPreface) + settings + (in_one ? whole : first)));
    bool closed = false;
    for (size_t i = in_one ? 0 : 2; i < block.size() && !closed; ++i) {
      closed = !SendAll(fd.get(), (in_one ? "" : further) + block.substr(i, 1)) ||
               WaitForClose(fd.get(), milliseconds(20));
    }
    EXPECT_TRUE(closed) << in_one;
    Eventually("the connection is given back", [&] { return open_connections() == 0; });
  }
}

TEST_F(GrpcConnectionTest, HeaderBlocksOneAfterTheOtherAreNoSlowOne) {
  grpc_options_.handshake_timeout = milliseconds(200);
  StartServer();
  const UniqueFd fd = ConnectTo(address());
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  ASSERT_TRUE(SendAll(fd.get(), std::string(kPreface) + settings));
  // Requests with two methods and nothing else are errors of their streams only. Each read ends in
  // a block.
  const std::string method("\x82");
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto end = now() + milliseconds(600);
  for (char stream = 1; now() < end; stream = static_cast<char>(stream + 2)) {
    std::string head("\0\0\2\1\5\0\0\0", 8);
    head += stream;
    ASSERT_TRUE(SendAll(fd.get(), (stream == 1 ? "" : method) + head + method));
    EXPECT_FALSE(WaitForClose(fd.get(), milliseconds(20)));
  }
}

TEST_F(GrpcConnectionTest, OneThatHasGreetedStaysWithoutACall) {
  grpc_options_.handshake_timeout = milliseconds(100);
  StartServer();
  Http2Client client(address());
  EXPECT_FALSE(client.Await([&] { return client.closed(); }, milliseconds(500)));
  Publish(&client, Broadcast("still here"));
}

TEST_F(GrpcConnectionTest, ARequestThatComesByteByByteEndsItsCall) {
  grpc_options_.handshake_timeout = milliseconds(300);
  StartServer();
  Http2Client client(address());
  const int32_t session = OpenSession(&client);
  for (const std::string_view path : {kPublish, kSubscribe}) {
    const int32_t slow = client.Start(HeadOf(path));
    const std::string request = Framed(std::string(200, 'x'));
    // Whether it is still sending then or not.
    client.Send(slow, request.substr(0, 7));
    const Stream& stream = client.AwaitEnd(slow);
    EXPECT_EQ(CodeOf(stream), 4) << path;
    EXPECT_EQ(stream.Find("grpc-message"), "the request was not whole in time");
  }
  EXPECT_EQ(timed_out(), 2);
  // A request whose end alone does not come is no better.
  const int32_t open = client.Start(HeadOf(kPublish));
  client.Send(open, Framed(RequestOf(Broadcast("x"))));
  EXPECT_EQ(CodeOf(client.AwaitEnd(open)), 4);
  ExpectServed(&client, session);
}

TEST_F(GrpcConnectionTest, Http1IsToldWhatThePortSpeaks) {
  StartServer();
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /crier.v1.Messaging/Publish HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}"}) {
    const UniqueFd fd = ConnectTo(address());
    ASSERT_TRUE(SendAll(fd.get(), request));
    const std::string answer = ReadUntil(fd.get(), "");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << "nothing may come before it";
    // The body has no length of its own: the end of the connection is its end.
    const size_t body = answer.find("\r\n\r\n");
    ASSERT_NE(body, std::string::npos) << answer;
    EXPECT_THAT(answer.substr(0, body), HasSubstr("Connection: close"));
    EXPECT_THAT(answer.substr(body), HasSubstr("gRPC"));
  }
  Eventually("the connections are given back", [&] { return open_connections() == 0; });
}

TEST_F(GrpcConnectionTest, BytesOfNoProtocolAreDropped) {
  StartServer();
  for (const std::string& bytes :
       {std::string("\x16\x03\x01\x02\x00\x01", 6), std::string("PRI * HTTP/2.0\r\n\r\nXX"),
        std::string("\r\n\r\n"), std::string(kPreface) + std::string("\0\0\0\1\4\0\0\0\1", 9)}) {
    const UniqueFd fd = ConnectTo(address());
    SendAll(fd.get(), bytes);
    EXPECT_TRUE(WaitForClose(fd.get()));
  }
  Eventually("the connections are given back", [&] { return open_connections() == 0; });
}

// --- What a client may not do.

TEST_F(GrpcConnectionTest, AViolationEndsTheConnectionOnly) {
  StartServer();
  Http2Client well_behaved(address());
  const int32_t other = OpenSession(&well_behaved);
  // DATA on stream 0; a frame of 16 MiB; a WINDOW_UPDATE of nothing; a stream of the server's.
  const std::vector<std::string> violations = {
      std::string("\0\0\1\0\0\0\0\0\0x", 10), std::string("\xFF\xFF\xFF\0\0\0\0\0\1", 9),
      std::string("\0\0\4\x08\0\0\0\0\0\0\0\0\0", 13), std::string("\0\0\0\1\4\0\0\0\2", 9)};
  uint64_t count = 0;
  for (const std::string& violation : violations) {
    Http2Client client(address());
    OpenSession(&client);
    client.SendRaw(violation);
    EXPECT_TRUE(client.AwaitClose()) << count;
    ASSERT_TRUE(client.gone_away().has_value()) << count;
    EXPECT_NE(client.gone_away()->code, uint32_t{NGHTTP2_NO_ERROR});
    ++count;
    Eventually("its session is gone", [&] { return sessions() == 1; });
    EXPECT_EQ(ended(Outcome::kProtocolError), count);
  }
  ExpectServed(&well_behaved, other);
  Eventually("one connection is left", [&] { return open_connections() == 1; });
}

TEST_F(GrpcConnectionTest, TooManyPingsEndTheConnection) {
  StartServer();
  Http2Client client(address());
  OpenSession(&client);
  for (int i = 0; i < 40; ++i) client.Ping();
  EXPECT_TRUE(client.AwaitClose());
  EXPECT_EQ(client.goaways(), 1u);
  ASSERT_TRUE(client.gone_away().has_value());
  EXPECT_EQ(client.gone_away()->code, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_EQ(client.gone_away()->debug_data, "too_many_pings");
  Eventually("the session is gone", [&] { return sessions() == 0; });
  Eventually("the connection is given back", [&] { return open_connections() == 0; });
}

TEST_F(GrpcConnectionTest, ThreePingsAreNotTooMany) {
  StartServer();
  Http2Client client(address());
  for (int i = 0; i < 3; ++i) client.Ping();
  EXPECT_TRUE(client.Await([&] { return client.ping_acks() == 3; }));
  Publish(&client, Broadcast("still here"));
  EXPECT_FALSE(client.gone_away().has_value());
}

TEST_F(GrpcConnectionTest, PingsBetweenDataAreNotTooMany) {
  StartServer();
  Http2Client client(address());
  const int32_t id = OpenSession(&client);
  for (size_t i = 1; i <= 20; ++i) {
    client.Ping();
    EXPECT_TRUE(client.Await([&] { return client.ping_acks() == i; }));
    ExpectServed(&client, id);
  }
  EXPECT_FALSE(client.gone_away().has_value());
}

TEST_F(GrpcConnectionTest, PingsThatKeepTheirDistanceAreNotTooMany) {
  grpc_options_.min_client_ping_interval = milliseconds(0);
  StartServer();
  Http2Client client(address());
  for (size_t i = 1; i <= 20; ++i) {
    client.Ping();
    EXPECT_TRUE(client.Await([&] { return client.ping_acks() == i; }));
  }
  Publish(&client, Broadcast("still here"));
}

// --- Many calls.

TEST_F(GrpcConnectionTest, ThreeHundredStreamsOfOneConnectionAllGetABroadcast) {
  StartServer();
  Http2Client client(address());
  std::vector<int32_t> ids;
  for (int i = 0; i < 300; ++i) ids.push_back(client.Start(HeadOf(kConnect)));
  for (const int32_t id : ids) {
    AwaitEvents(&client, id, 1);
    client.Send(id, Framed(EmptyHello().SerializeAsString()));
  }
  EXPECT_EQ(sessions(), 300);
  const Stream& published = Publish(&client, Broadcast("to all of you"));
  v1::PublishResponse response;
  ASSERT_TRUE(response.ParseFromString(MessagesIn(published)[0]));
  EXPECT_EQ(response.recipients(), 300u);
  for (const int32_t id : ids) {
    EXPECT_EQ(AwaitEvents(&client, id, 2)[1].message().body(), "to all of you");
  }
  client.Drop();
  Eventually("the sessions are gone", [&] { return sessions() == 0; });
}

// --- How it ends.

TEST_F(GrpcConnectionTest, StopSaysGoAwayAndEndsCallsWithShutdown) {
  StartServer();
  Http2Client client(address());
  const int32_t connect = OpenSession(&client);
  const int32_t subscribe = client.Start(HeadOf(kSubscribe));
  client.Send(subscribe, Framed(""), true);
  AwaitEvents(&client, subscribe, 1);
  // Calls that wait for their request.
  const int32_t publish = client.Start(HeadOf(kPublish));
  const int32_t watch = client.Start(HeadOf("/grpc.health.v1.Health/Watch"));
  ExpectServed(&client, connect);
  server().Stop();
  for (const int32_t id : {connect, subscribe, publish, watch}) {
    const Stream& stream = client.AwaitEnd(id);
    EXPECT_EQ(CodeOf(stream), 14) << id;
    EXPECT_EQ(ReasonOf(stream), "SHUTDOWN") << id;
  }
  EXPECT_TRUE(client.AwaitClose());
  ASSERT_TRUE(client.gone_away().has_value());
  EXPECT_EQ(client.gone_away()->code, uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_EQ(ended(Outcome::kShutdown), 2u);
  EXPECT_EQ(open_connections(), 0u);
}

TEST_F(GrpcConnectionTest, ADrainIsToldAtOnceAndDisturbsNoCall) {
  StartServer();
  Http2Client client(address());
  const int32_t session = OpenSession(&client);
  const int32_t publish = client.Start(HeadOf(kPublish));
  server().StopAccepting();
  // It was on its way when the server said so.
  const int32_t late = client.Start(HeadOf(kConnect), true);
  EXPECT_EQ(ReasonOf(client.AwaitEnd(late)), "SHUTDOWN");
  EXPECT_EQ(client.goaways(), 1u);
  ASSERT_TRUE(client.gone_away().has_value());
  EXPECT_EQ(client.gone_away()->code, uint32_t{NGHTTP2_NO_ERROR});
  ExpectServed(&client, session);
  client.Send(publish, Framed(RequestOf(Broadcast("hello"))), true);
  EXPECT_EQ(CodeOf(client.AwaitEnd(publish)), 0);
}

TEST_F(GrpcConnectionTest, AnOldConnectionEndsAfterItsSessionsWereTold) {
  grpc_options_.max_connection_age = milliseconds(200);
  grpc_options_.max_connection_age_grace = milliseconds(300);
  StartServer();
  Http2Client idle(address());
  Http2Client client(address());
  const int32_t session = OpenSession(&client);
  const auto told = AwaitEvents(&client, session, 2);
  EXPECT_TRUE(told[1].has_drain()) << told[1].ShortDebugString();
  EXPECT_TRUE(told[1].drain().has_reconnect_after());
  EXPECT_EQ(client.goaways(), 1u);
  EXPECT_FALSE(client.stream(session).ended);
  const Stream& stream = client.AwaitEnd(session);
  EXPECT_EQ(ReasonOf(stream), "SHUTDOWN");
  EXPECT_TRUE(client.AwaitClose());
  EXPECT_TRUE(idle.AwaitClose()) << "one without a call too";
  EXPECT_EQ(idle.gone_away()->code, uint32_t{NGHTTP2_NO_ERROR});
  Http2Client next(address());
  OpenSession(&next);
}

TEST_F(GrpcConnectionTest, AnIdleStreamSendsEmptyFrames) {
  grpc_options_.heartbeat_interval = milliseconds(60);
  StartServer();
  Http2Client client(address());
  const int32_t session = OpenSession(&client);
  const auto messages = AwaitMessages(&client, session, 4);
  EXPECT_NE(messages[0], "") << "the welcome";
  EXPECT_EQ(messages[1] + messages[2] + messages[3], "");
  ExpectServed(&client, session);
}

// A call whose answer comes when the test says so.
class GrpcSlowAnswerTest : public GrpcConnectionTest {
 protected:
  void Prepare(GrpcServer* server) override {
    server->methods().Add("/test.Slow/Ask", [this](crier::Call* call) {
      return std::make_unique<RequestHandler>(call, [this](crier::Call* asked, std::string_view) {
        asked_.set_value(asked->shared_from_this());
      });
    });
  }
  std::promise<std::shared_ptr<crier::Call>> asked_;
};

TEST_F(GrpcSlowAnswerTest, WhatIsUnderWayAtTheStopGetsItsAnswer) {
  StartServer();
  Http2Client client(address());
  const int32_t id = client.Start(HeadOf("/test.Slow/Ask"));
  client.Send(id, Framed(""), true);
  const auto call = asked_.get_future().get();
  std::thread stop([&] { server().Stop(kPatience); });
  EXPECT_TRUE(client.Await([&] { return client.goaways() == 2; }));
  call->shard().Post([call] {
    call->Send("answer");
    call->Finish({});
  });
  const Stream& stream = client.AwaitEnd(id);
  EXPECT_EQ(CodeOf(stream), 0);
  EXPECT_EQ(MessagesIn(stream).at(0), "answer");
  stop.join();
}

TEST_F(GrpcConnectionTest, StopWaitsForNobodyWhoseCallsAreThrough) {
  StartServer();
  // Clients that do not close by themselves.
  Http2Client idle(address());
  Publish(&idle, Broadcast("done"));
  Http2Client half_closed(address());
  const int32_t first = OpenSession(&half_closed);
  half_closed.HalfClose(first);
  ExpectServed(&idle, OpenSession(&idle));
  const UniqueFd silent = ConnectTo(address());
  Eventually("all are in", [&] { return open_connections() == 3; });
  const auto begin = std::chrono::steady_clock::now();
  server().Stop(kPatience);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kPatience / 2);
  EXPECT_EQ(open_connections(), 0u);
}

}  // namespace
}  // namespace crier::testing
