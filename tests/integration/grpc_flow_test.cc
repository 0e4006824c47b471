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
  // Publishes this many messages of this size on "feed": "1 xxx...", "2 xxx...", ...
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

// --- Streams whose answers are not taken: nothing more of them is handled until they are.

class GrpcUnreadAnswersTest : public GrpcFlowTest {
 protected:
  static constexpr Http2Client::Options kTakesLittle{
      .stream_window = 65535, .connection_window = kWide, .returns_window = false};

  // A session that has sent so many messages to itself with ids, each answered with an echo and an
  // ack, and gives their answers no window.
  static int32_t OpenHeld(Http2Client* client, int messages, std::string_view more = {},
                          bool half_close = false) {
    std::string all;
    for (int i = 0; i < messages; ++i) {
      const std::string number = std::to_string(i);
      all += Framed(AsFrame(Direct("message " + number, "", number)));
    }
    const int32_t id = OpenSession(client);
    client->Send(id, all.append(more), half_close);
    return id;
  }
  // One echo and one ack of each, in order, and nothing else.
  static void ExpectEachAnswered(Http2Client* client, int32_t id, int messages) {
    const auto events = AwaitEvents(client, id, 1 + 2 * static_cast<size_t>(messages));
    for (int i = 0; i < messages; ++i) {
      const std::string number = std::to_string(i);
      const v1::Event& echo = events[1 + 2 * static_cast<size_t>(i)];
      const v1::Event& ack = events[2 + 2 * static_cast<size_t>(i)];
      ASSERT_EQ(echo.message().id(), number) << echo.ShortDebugString();
      ASSERT_EQ(ack.ack().id(), number) << ack.ShortDebugString();
      ASSERT_FALSE(ack.ack().duplicate());
    }
  }
};

TEST_F(GrpcUnreadAnswersTest, AreBoundedAndNoneIsLostAndOtherStreamsGoOn) {
  constexpr int kMessages = 12'000;
  // All that these may send before they are paused and after is more than the window that all
  // streams of a connection share.
  constexpr int kHeld = 6;
  for (const bool half_close : {false, true}) {
    SCOPED_TRACE(half_close);
    StartServer();
    Http2Client client(address(), kTakesLittle);
    std::vector<int32_t> held;
    for (int i = 0; i < kHeld; ++i) held.push_back(OpenHeld(&client, kMessages, {}, half_close));
    Eventually("they lag", [&] { return lagging() == kHeld; });

    const int32_t other = OpenSession(&client);
    client.SetWindow(other, kWide);
    const std::string body(60'000, 'o');
    constexpr size_t kBodies = 50;
    for (size_t i = 1; i <= kBodies; ++i) {
      client.Send(other, Framed(AsFrame(Direct(body))));
      ASSERT_EQ(AwaitEvents(&client, other, 1 + i).back().message().body(), body);
    }
    EXPECT_LT(received_directs(), kHeld * kMessages / 2);

    for (const int32_t id : held) {
      client.SetWindow(id, kWide);
      ExpectEachAnswered(&client, id, kMessages);
      EXPECT_FALSE(client.stream(id).ended) << "who has closed its sending side still receives";
    }
    EXPECT_EQ(received_directs(), kHeld * kMessages + int64_t{kBodies});
    StopServer();
  }
}

TEST_F(GrpcUnreadAnswersTest, DoNotHideTheEndOfAStream) {
  StartServer();
  Http2Client client(address(), kTakesLittle);
  const int32_t held = OpenHeld(&client, 12'000);
  Eventually("it lags", [&] { return lagging() == 1; });
  client.Reset(held);
  Eventually("it is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kOk), 1u);
  OpenHeld(&client, 12'000, {}, /*half_close=*/true);
  Eventually("another one lags", [&] { return lagging() == 1; });
  client.Drop();
  Eventually("it is gone with the connection", [&] { return sessions() == 0; });
}

// The client's half-close comes while its messages are kept, and counts behind them.
TEST_F(GrpcUnreadAnswersTest, DoNotHideThatTheLastMessageIsCutOff) {
  constexpr int kMessages = 2000;  // within the stream's window
  engine_options_.mailbox.bytes = 16 << 10;
  StartServer();
  Http2Client client(address(), kTakesLittle);
  const std::string cut = Framed(AsFrame(Direct("cut off"))).substr(0, 7);
  const int32_t held = OpenHeld(&client, kMessages, cut, /*half_close=*/true);
  // What was sent before a ping is answered has come by then.
  client.Ping();
  EXPECT_TRUE(client.Await([&] { return client.ping_acks() == 1; }));
  EXPECT_LT(received_directs(), kMessages);
  client.SetWindow(held, kWide);
  const Stream& stream = client.AwaitEnd(held);
  EXPECT_EQ(CodeOf(stream), 13) << stream.Find("grpc-message");
  EXPECT_EQ(received_directs(), kMessages);
}

}  // namespace
}  // namespace crier::testing
