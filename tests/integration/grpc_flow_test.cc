// Clients that do not take what they are owed: flow control of a stream and of a connection, and
// the kernel's. They lag, get everything once they take it, and cost nobody else anything.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/grpc_protocol_fixture.h"

namespace crier::testing {
namespace {

constexpr int32_t kWide = 1 << 30;

class GrpcFlowTest : public GrpcProtocolTest {
 protected:
  // Publishes so many messages of this size on "feed": "1 xxx...", "2 xxx...", ...
  void PublishMany(Http2Client* client, int count, size_t size) {
    for (int i = 0; i < count; ++i) {
      std::string body = std::to_string(++published_) + " ";
      body.resize(std::max(body.size(), size), 'x');
      Publish(client, Broadcast(body, "feed"));
    }
  }
  // All that was published comes, once each and in order. The session's first two events are
  // Welcome and Ack.
  void ExpectAll(Http2Client* client, int32_t session) {
    const auto events = AwaitEvents(client, session, 2 + published_);
    for (uint64_t offset = 1; offset <= published_; ++offset) {
      ASSERT_TRUE(events[1 + offset].has_message()) << events[1 + offset].ShortDebugString();
      ASSERT_EQ(events[1 + offset].message().offset(), offset);
    }
    EXPECT_EQ(EventsIn(client->stream(session)).size(), events.size());
  }

  uint64_t published_ = 0;
};

TEST_F(GrpcFlowTest, AStreamWithoutAWindowLagsAndGoesOn) {
  StartServer();
  Http2Client client(address(),
                     {.stream_window = 1000, .connection_window = kWide, .returns_window = false});
  const int32_t id = OpenSessionOn(&client, "feed");
  // On streams of their own, with windows of their own.
  PublishMany(&client, 40, 500);
  Eventually("it lags", [&] { return lagging() == 1; });
  // What is sent before a ping's answer has come by then.
  client.Ping();
  EXPECT_TRUE(client.Await([&] { return client.ping_acks() == 1; }));
  EXPECT_EQ(client.stream(id).data.size(), 1000u) << "up to the last byte of the window";
  client.SetWindow(id, kWide);
  ExpectAll(&client, id);
  Eventually("it lags no longer", [&] { return lagging() == 0; });
  PublishMany(&client, 1, 500);
  ExpectAll(&client, id);
}

TEST_F(GrpcFlowTest, AStreamWithAWindowOfNothingWaitsForItsWelcome) {
  StartServer();
  Http2Client client(address(), {.stream_window = 0, .returns_window = false});
  const int32_t id = client.Start(HeadOf(kConnect));
  EXPECT_TRUE(client.Await([&] { return !client.stream(id).head.empty(); }))
      << "a head is not subject to flow control";
  Eventually("it lags", [&] { return lagging() == 1; });
  EXPECT_EQ(client.stream(id).data, "");
  client.SetWindow(id, kWide);
  EXPECT_TRUE(AwaitEvents(&client, id, 1)[0].has_welcome());
  Eventually("it lags no longer", [&] { return lagging() == 0; });
}

TEST_F(GrpcFlowTest, AWindowThatOpensByteByByte) {
  StartServer();
  Http2Client client(address(), {.stream_window = 0, .returns_window = false});
  const int32_t id = client.Start(HeadOf(kConnect));
  int32_t window = 0;
  while (EventsIn(client.stream(id)).empty() && window < 10'000) {
    client.SetWindow(id, ++window);
    ASSERT_TRUE(client.Await([&] {
      return client.stream(id).data.size() == static_cast<size_t>(window);
    })) << "byte "
        << window;
  }
  EXPECT_TRUE(AwaitEvents(&client, id, 1)[0].has_welcome());
  EXPECT_EQ(client.stream(id).data_frames, static_cast<size_t>(window));
}

TEST_F(GrpcFlowTest, AConnectionWithoutAWindowLagsAndGoesOn) {
  engine_options_.topic_log.bytes = 4 << 20;
  StartServer();
  Http2Client client(address(), {.stream_window = kWide, .returns_window = false});
  Http2Client publisher(address());
  const int32_t first = OpenSessionOn(&client, "feed");
  const int32_t second = OpenSessionOn(&client, "feed");
  PublishMany(&publisher, 40, 4000);
  Eventually("both lag", [&] { return lagging() == 2; });
  client.Ping();
  EXPECT_TRUE(client.Await([&] { return client.ping_acks() == 1; }));
  EXPECT_EQ(client.stream(first).data.size() + client.stream(second).data.size(),
            size_t{NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE});
  client.SetWindow(0, kWide);
  ExpectAll(&client, first);
  ExpectAll(&client, second);
  Eventually("none lags any longer", [&] { return lagging() == 0; });
}

TEST_F(GrpcFlowTest, AClientThatDoesNotReadItsSocketLagsAndGoesOn) {
  engine_options_.topic_log.bytes = 64 << 20;
  for (const bool io_uring : {true, false}) {
    SCOPED_TRACE(io_uring ? "with io_uring" : "without io_uring");
    grpc_options_.io_uring = io_uring;
    published_ = 0;
    StartServer();
    Http2Client client(address(), {.stream_window = kWide, .connection_window = kWide});
    Http2Client publisher(address());
    const int32_t id = OpenSessionOn(&client, "feed");
    while (lagging() == 0 && published_ < 2000) PublishMany(&publisher, 1, 60'000);
    ASSERT_EQ(lagging(), 1);
    PublishMany(&publisher, 20, 60'000);
    ExpectAll(&client, id);
    Eventually("it lags no longer", [&] { return lagging() == 0; });
    PublishMany(&publisher, 1, 100);
    ExpectAll(&client, id);
    StopServer();
  }
}

TEST_F(GrpcFlowTest, AStatusThatIsNotTakenInTimeIsCutOff) {
  grpc_options_.close_timeout = std::chrono::milliseconds(200);
  StartServer();
  Http2Client client(address(), {.stream_window = 0, .returns_window = false});
  // The response lies before the status, and has no window.
  const int32_t id = client.Start(HeadOf(kPublish));
  client.Send(id, Framed(RequestOf(Broadcast("hello"))), true);
  const Stream& stream = client.AwaitEnd(id);
  EXPECT_FALSE(stream.ended);
  EXPECT_EQ(stream.reset, uint32_t{NGHTTP2_CANCEL});
}

TEST_F(GrpcFlowTest, AnAnswerThatIsTakenLateComesWhole) {
  StartServer();
  Http2Client client(address(), {.stream_window = 3, .returns_window = false});
  const int32_t id = client.Start(HeadOf(kPublish));
  client.Send(id, Framed(RequestOf(Broadcast("hello", "news"))), true);
  EXPECT_TRUE(client.Await([&] { return client.stream(id).data.size() == 3; }));
  client.SetWindow(id, kWide);
  const Stream& stream = client.AwaitEnd(id);
  EXPECT_EQ(CodeOf(stream), 0);
  v1::PublishResponse response;
  ASSERT_TRUE(response.ParseFromString(AwaitMessages(&client, id, 1)[0]));
  EXPECT_EQ(response.topic(), "news");
}

TEST_F(GrpcFlowTest, AStreamThatLagsIsCancelled) {
  StartServer();
  Http2Client client(address(), {.stream_window = 100, .returns_window = false});
  Http2Client publisher(address());
  const int32_t id = client.Start(HeadOf(kConnect));
  client.Send(id, Framed(Subscribe("feed")));
  while (lagging() == 0 && published_ < 1000) PublishMany(&publisher, 1, 500);
  ASSERT_EQ(lagging(), 1);
  client.Reset(id);
  Eventually("the session is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(lagging(), 0);
  EXPECT_EQ(ended(Outcome::kOk), 1u);
}

}  // namespace
}  // namespace crier::testing
