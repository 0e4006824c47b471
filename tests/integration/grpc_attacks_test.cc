// Clients that try to make the server keep or do much for little. What they reach is bounded, and
// is counted and logged; a client beside them notices nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/grpc_protocol_fixture.h"
#include "tests/support/loopback.h"

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr int32_t kWide = 1 << 30;
constexpr std::string_view kReflection =
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr std::string_view kWatch = "/grpc.health.v1.Health/Watch";

// --- Frames by hand, for what no HTTP/2 library sends.

std::string FrameOf(uint8_t type, uint8_t flags, int32_t stream, std::string_view payload = {}) {
  std::string frame;
  for (int shift = 16; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(payload.size() >> shift));
  }
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(stream >> shift));
  return frame.append(payload);
}

// A field that no table remembers, or that goes into the dynamic table.
std::string FieldOf(std::string_view name, std::string_view value, char form = '\0') {
  std::string field(1, form);
  for (const std::string_view text : {name, value}) {
    size_t rest = text.size();
    if (rest >= 127) {
      field.push_back(127);
      for (rest -= 127; rest >= 128; rest /= 128) {
        field.push_back(static_cast<char>(rest % 128 + 128));
      }
    }
    field.push_back(static_cast<char>(rest));
    field.append(text);
  }
  return field;
}

std::string BlockOf(std::string_view path) {
  return FieldOf(":method", "POST") + FieldOf(":scheme", "http") + FieldOf(":path", path) +
         FieldOf(":authority", "x") + FieldOf("content-type", "application/grpc");
}

class GrpcAttackTest : public GrpcProtocolTest {
 protected:
  static constexpr Http2Client::Options kTakesNothing{
      .stream_window = 0, .connection_window = kWide, .returns_window = false};

  // A socket that has said hello, and whose client reads nothing and acknowledges nothing.
  UniqueFd Greet() {
    UniqueFd fd = ConnectTo(address());
    EXPECT_TRUE(
        SendAll(fd.get(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + FrameOf(NGHTTP2_SETTINGS, 0, 0)));
    return fd;
  }
  // Sends this over and over until the server has closed the connection.
  void SendUntilClosed(int fd, const std::string& bytes) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (SendAll(fd, bytes)) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  int64_t kept() const {
    return memory(MemoryKind::kInput) + memory(MemoryKind::kOutput) + memory(MemoryKind::kHttp2);
  }
  // What a client beside the attack sees.
  void ExpectServed() {
    Http2Client client(address());
    Publish(&client, Broadcast("still here", "elsewhere"));
  }
  // The topic's log is full: about 1 MiB.
  void FillTopic() {
    Http2Client publisher(address());
    for (int i = 0; i < 16; ++i) Publish(&publisher, Broadcast(std::string(60'000, 'x'), "bulk"));
  }
  static std::string HistoryOf(std::string_view topic) {
    v1::HistoryRequest request;
    request.set_topic(std::string(topic));
    return Framed(request);
  }
};

// --- Answers that are not taken.

TEST_F(GrpcAttackTest, HistoriesThatAreNotTakenWaitInTheLog) {
  StartServer();
  FillTopic();
  Http2Client client(address(), kTakesNothing);
  std::vector<int32_t> ids;
  for (int i = 0; i < 40; ++i) {
    ids.push_back(client.Start(HeadOf(kHistory)));
    client.Send(ids.back(), HistoryOf("bulk"), true);
  }
  client.Ping();
  EXPECT_TRUE(client.Await([&] { return client.ping_acks() == 1; }));
  EXPECT_LT(kept(), 1 << 20);
  // One byte of each: then an answer has begun, and the others wait for their turn.
  for (const int32_t id : ids) client.SetWindow(id, 1);
  EXPECT_TRUE(client.Await([&] { return client.stream(ids[0]).data.size() == 1; }));
  EXPECT_LT(kept(), 6 << 20);
  ExpectServed();
  for (const int32_t id : ids) client.SetWindow(id, kWide);
  for (const int32_t id : ids) {
    const Stream& stream = client.AwaitEnd(id);
    ASSERT_EQ(CodeOf(stream), 0) << stream.Find("grpc-message");
    v1::HistoryResponse response;
    ASSERT_TRUE(response.ParseFromString(MessagesIn(stream).at(0)));
    ASSERT_EQ(response.events_size(), 16);
    EXPECT_EQ(response.head(), 16u);
  }
  Eventually("nothing is kept", [&] { return memory(MemoryKind::kOutput) == 0; });
}

TEST_F(GrpcAttackTest, AnAnswerThatIsNotTakenInTimeIsCutOff) {
  grpc_options_.close_timeout = milliseconds(200);
  StartServer();
  FillTopic();
  Http2Client client(address(), kTakesNothing);
  const int32_t not_asked = client.Start(HeadOf(kHistory));
  client.Send(not_asked, HistoryOf("bulk"), true);
  EXPECT_EQ(client.AwaitEnd(not_asked).reset, uint32_t{NGHTTP2_CANCEL});
  const int32_t begun = client.Start(HeadOf(kHistory));
  client.SetWindow(begun, 1);
  client.Send(begun, HistoryOf("bulk"), true);
  EXPECT_EQ(client.AwaitEnd(begun).reset, uint32_t{NGHTTP2_CANCEL});
  Eventually("both are counted", [&] { return violations(GrpcViolation::kUnread) == 2; });
  Eventually("nothing is kept", [&] { return memory(MemoryKind::kOutput) == 0; });
}

TEST_F(GrpcAttackTest, ReflectionReadsAsFastAsItsAnswersAreTaken) {
  StartServer();
  Http2Client client(address(), kTakesNothing);
  constexpr size_t kAsked = 100;
  const std::string symbol = "crier.v1.Messaging";
  const std::string asked =
      Framed("\x22" + std::string(1, static_cast<char>(symbol.size())) + symbol);
  std::string all;
  for (size_t i = 0; i < kAsked; ++i) all += asked;
  std::vector<int32_t> ids;
  for (int i = 0; i < 50; ++i) {
    ids.push_back(client.Start(HeadOf(kReflection)));
    client.Send(ids.back(), all, true);
  }
  client.Ping();
  EXPECT_TRUE(client.Await([&] { return client.ping_acks() == 1; }));
  EXPECT_LT(kept(), 1 << 20) << "the requests, and no answer";
  for (const int32_t id : ids) client.SetWindow(id, 1);
  EXPECT_TRUE(client.Await([&] { return client.stream(ids[0]).data.size() == 1; }));
  EXPECT_LT(kept(), 6 << 20);
  for (const int32_t id : {ids.front(), ids.back()}) {
    client.SetWindow(id, kWide);
    EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0);
    EXPECT_EQ(MessagesIn(client.stream(id)).size(), kAsked);
  }
  ExpectServed();
}

// --- Parts of messages, and messages that wait.

TEST_F(GrpcAttackTest, PartsOfMessagesAreBounded) {
  grpc_options_.max_connection_bytes = 1 << 20;
  StartServer();
  for (const bool whole : {false, true}) {
    SCOPED_TRACE(whole ? "whole requests of calls that never end" : "parts");
    Http2Client client(address());
    // A unary call acts on its half-close.
    const std::string request = Framed(RequestOf(Broadcast(std::string(60'000, 'x'))));
    std::vector<int32_t> ids;
    for (int i = 0; i < 40; ++i) {
      ids.push_back(client.Start(HeadOf(kPublish)));
      client.Send(ids.back(), request.substr(0, request.size() - (whole ? 0 : 1)));
    }
    const auto is_refused = [&](int32_t id) { return ReasonOf(client.stream(id)) == "OVERLOADED"; };
    EXPECT_TRUE(client.Await([&] { return is_refused(ids.back()); }));
    EXPECT_FALSE(is_refused(ids.front()));
    // gRPC's proposal A6: whole milliseconds, which its libraries wait for before they try again.
    EXPECT_THAT(client.stream(ids.back()).Find("grpc-retry-pushback-ms"), MatchesRegex("[0-9]+"));
    EXPECT_LT(kept(), 2 << 20);
    EXPECT_GT(violations(GrpcViolation::kMemory), 0u);
    client.Send(ids.front(), whole ? "" : request.substr(request.size() - 1), true);
    EXPECT_EQ(CodeOf(client.AwaitEnd(ids.front())), 0) << "what was there before goes on";
    ExpectServed();
    client.Drop();
    Eventually("nothing is kept", [&] { return kept() == 0; });
  }
}

TEST_F(GrpcAttackTest, MessagesOfSessionsThatAreNotReadAreBounded) {
  grpc_options_.max_connection_bytes = 4 << 20;
  engine_options_.mailbox.bytes = 4 << 10;
  StartServer();
  Http2Client client(
      address(), {.stream_window = 20'000, .connection_window = kWide, .returns_window = false});
  constexpr int kSessions = 40;
  constexpr int kMessages = 300;
  const std::string body(400, 'b');
  std::string all;
  for (int i = 0; i < kMessages; ++i) {
    all += Framed(AsFrame(Direct(body, "", std::to_string(i))));
  }
  std::vector<int32_t> ids;
  for (int i = 0; i < kSessions; ++i) ids.push_back(OpenSession(&client));
  for (const int32_t id : ids) client.Send(id, all);
  ASSERT_GT(all.size() * kSessions, size_t{4} << 20);
  Eventually("they lag", [&] { return lagging() > 0; });
  // Half of the limit, and the window that all share.
  EXPECT_LT(kept(), (2 << 20) + (1 << 20) + (512 << 10));
  for (const int32_t id : ids) client.SetWindow(id, kWide);
  for (const int32_t id : ids) AwaitEvents(&client, id, 1 + 2 * kMessages);
  EXPECT_EQ(received_directs(), kSessions * kMessages) << "none is lost";
  EXPECT_EQ(violations(GrpcViolation::kMemory), 0u) << "who is slow is slowed down";
}

TEST_F(GrpcAttackTest, BytesBeyondTheWindowEndTheCall) {
  StartServer();
  const UniqueFd fd = Greet();
  // It takes no answers, and so its requests are not read.
  const std::string no_window("\0\4\0\0\0\0", 6);
  ASSERT_TRUE(SendAll(fd.get(), FrameOf(NGHTTP2_SETTINGS, 0, 0, no_window) +
                                    FrameOf(NGHTTP2_HEADERS, 4, 1, BlockOf(kReflection))));
  std::string requests;
  while (requests.size() < 16'000) requests += Framed(std::string_view("\x3a\x01*", 3));
  const std::string frame = FrameOf(NGHTTP2_DATA, 0, 1, requests);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(SendAll(fd.get(), frame));
  Eventually("it is counted", [&] { return violations(GrpcViolation::kFlowControl) == 1; });
  Eventually("nothing is kept", [&] { return memory(MemoryKind::kInput) == 0; });
  ExpectServed();
}

// --- Control frames.

TEST_F(GrpcAttackTest, RefusedStreamsThatAreNotReadEndTheConnection) {
  grpc_options_.max_streams_per_connection = 8;
  StartServer();
  const UniqueFd fd = Greet();
  std::string streams;
  int32_t id = 1;
  for (; id < 16; id += 2) streams += FrameOf(NGHTTP2_HEADERS, 4, id, BlockOf(kWatch));
  ASSERT_TRUE(SendAll(fd.get(), streams));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool open = true;
  while (open) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::string refused;
    for (int i = 0; i < 1000; ++i, id += 2) {
      refused += FrameOf(NGHTTP2_HEADERS, 5, id, "\x83\x86\x84");
    }
    open = SendAll(fd.get(), refused);
    EXPECT_LT(memory(MemoryKind::kHttp2), 4 << 20);
  }
  Eventually("it is counted", [&] { return violations(GrpcViolation::kControlQueue) == 1; });
  Eventually("nothing is kept", [&] { return kept() == 0; });
  ExpectServed();
}

TEST_F(GrpcAttackTest, PingsAndSettingsThatAreNotReadEndTheConnection) {
  grpc_options_.min_client_ping_interval = milliseconds(0);
  StartServer();
  uint64_t count = 0;
  for (const std::string& frame :
       {FrameOf(NGHTTP2_PING, 0, 0, "12345678"), FrameOf(NGHTTP2_SETTINGS, 0, 0)}) {
    const UniqueFd fd = Greet();
    std::string many;
    for (int i = 0; i < 1000; ++i) many += frame;
    SendUntilClosed(fd.get(), many);
    ++count;
    Eventually("it is counted", [&] { return violations(GrpcViolation::kControlFlood) == count; });
  }
  Eventually("nothing is kept", [&] { return kept() == 0; });
  ExpectServed();
}

TEST_F(GrpcAttackTest, AHeaderBlockInTooManyFramesEndsTheConnection) {
  StartServer();
  const UniqueFd fd = Greet();
  std::string block = FrameOf(NGHTTP2_HEADERS, 0, 1, BlockOf(kPublish));
  for (int i = 0; i < 200; ++i) block += FrameOf(NGHTTP2_CONTINUATION, 0, 1);
  SendAll(fd.get(), block);
  EXPECT_TRUE(WaitForClose(fd.get()));
  Eventually("it is counted", [&] { return violations(GrpcViolation::kContinuations) == 1; });
  ExpectServed();
}

TEST_F(GrpcAttackTest, CallsThatAreCancelledTooFastEndTheConnection) {
  StartServer();
  Http2Client client(address());
  // Enough for a slow machine too: what it may do in a second is taken off.
  for (int i = 0; i < 100'000 && !client.closed(); ++i) {
    client.Reset(client.Start(HeadOf(kWatch)));
    if (i % 100 == 0) client.Await([] { return false; }, milliseconds(0));
  }
  EXPECT_TRUE(client.AwaitClose());
  ASSERT_TRUE(client.gone_away().has_value());
  EXPECT_EQ(client.gone_away()->code, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_EQ(violations(GrpcViolation::kResets), 1u);
  ExpectServed();
}

// --- Header lists.

TEST_F(GrpcAttackTest, AHeaderListOverTheLimitEndsItsCallOnly) {
  StartServer();
  Http2Client client(address());
  const int32_t other = OpenSession(&client);
  uint64_t count = 0;
  // Of the longest nghttp2 would close the connection (field_limiter.h).
  for (const size_t bytes : {8'200, 60'000, 65'537, 100'000, 800'000}) {
    for (const bool half_close : {false, true}) {
      const int32_t id =
          client.Start(HeadOf(kPublish, {{"x-large", std::string(bytes, 'x')}}), half_close);
      const Stream& stream = client.AwaitEnd(id);
      EXPECT_EQ(CodeOf(stream), 8) << bytes;
      EXPECT_EQ(ReasonOf(stream), "MESSAGE_TOO_BIG") << bytes;
      EXPECT_THAT(stream.Find("grpc-message"), HasSubstr("8192"));
      EXPECT_EQ(violations(GrpcViolation::kHeaderList), ++count);
      EXPECT_EQ(handled(GrpcMethod::kUnknown, 8), count);
    }
  }
  client.Send(other, Framed(Ping("still here")));
  EXPECT_EQ(AwaitEvents(&client, other, 2)[1].pong().id(), "still here");
}

TEST_F(GrpcAttackTest, TheServersSettingsComeBeforeARefusal) {
  StartServer();
  const UniqueFd fd = ConnectTo(address());
  const std::string block = BlockOf(kPublish) + FieldOf("x-large", std::string(9000, 'x'));
  ASSERT_TRUE(SendAll(fd.get(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                                    FrameOf(NGHTTP2_SETTINGS, 0, 0) +
                                    FrameOf(NGHTTP2_HEADERS, 5, 1, block)));
  const std::string answer = ReadUntil(fd.get(), "bytes, the limit");
  ASSERT_GT(answer.size(), 9u);
  EXPECT_EQ(answer[3], NGHTTP2_SETTINGS);
}

TEST_F(GrpcAttackTest, ANameOverTheLimitEndsItsCallOnly) {
  StartServer();
  Http2Client client(address());
  // Not compressible, and with a value of its own.
  for (const char letter : {'x', '~'}) {
    const Stream& stream = client.AwaitEnd(
        client.Start(HeadOf(kPublish, {{std::string(90'000, letter), "a value"}}), true));
    EXPECT_EQ(CodeOf(stream), 8) << letter;
    Publish(&client, Broadcast("still here"));
  }
}

TEST_F(GrpcAttackTest, TrailersOverTheLimitEndTheirCallOnly) {
  StartServer();
  Http2Client client(address());
  const int32_t id = OpenSession(&client);
  client.SendTrailers(id, {{"x-large", std::string(9000, 'x')}});
  EXPECT_EQ(client.AwaitEnd(id).reset, uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  Eventually("its session is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kMessageTooBig), 1u);
  Publish(&client, Broadcast("still here"));
}

// One entry of 4 KB in the table, and references of one byte to it: 400 MB of fields in 112 KiB.
TEST_F(GrpcAttackTest, ReferencesToALargeFieldAreNotLookedAt) {
  StartServer();
  const UniqueFd fd = Greet();
  constexpr size_t kFrameBytes = 16 << 10;
  const std::string entry = FieldOf("x", std::string(4000, 'v'), '\x40');
  ASSERT_TRUE(SendAll(fd.get(), FrameOf(NGHTTP2_HEADERS, 5, 1, BlockOf("/x") + entry)));
  const std::string references(kFrameBytes, '\xBE');
  for (int32_t id = 3; id < 43; id += 2) {
    std::string block = BlockOf("/x");
    block.resize(kFrameBytes, '\xBE');
    std::string frames = FrameOf(NGHTTP2_HEADERS, 1, id, block);
    for (int i = 0; i < 5; ++i) frames += FrameOf(NGHTTP2_CONTINUATION, 0, id, references);
    frames += FrameOf(NGHTTP2_CONTINUATION, 4, id, references);
    ASSERT_TRUE(SendAll(fd.get(), frames));
  }
  Eventually("all are refused", [&] { return violations(GrpcViolation::kHeaderList) == 20; });
  ExpectServed();
  Eventually("its connection alone is left", [&] { return open_connections() == 1; });
}

// --- What the operator sees.

TEST_F(GrpcAttackTest, AViolationIsLoggedWithTheAddressOnceInASecond) {
  std::ostringstream lines;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(lines)));
  StartServer();
  Http2Client client(address());
  for (int i = 0; i < 20; ++i) {
    client.AwaitEnd(client.Start(HeadOf(kPublish, {{"x-large", std::string(9000, 'x')}})));
  }
  client.Drop();
  StopServer();
  spdlog::set_default_logger(before);
  const std::string log = lines.str();
  EXPECT_THAT(log, HasSubstr("gRPC client 127.0.0.1: its metadata is over the limit"));
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 4) << log;
}

}  // namespace
}  // namespace crier::testing
