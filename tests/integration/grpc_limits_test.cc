// What a client may not do, and that it harms nobody else when it tries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/grpc_fixture.h"

namespace crier::testing {
namespace {

class GrpcLimitsTest : public GrpcTest {
 protected:
  // A server that serves: checked after each attempt to disturb it.
  void ExpectAlive() {
    auto session = Connect();
    session->Settle();
  }
};

TEST_F(GrpcLimitsTest, ABodyOverTheLimitIsRefusedByName) {
  StartServer();
  auto alice = ConnectAs("alice");
  alice->Send(AsFrame(Broadcast(std::string((64 << 10) + 1, 'x'), "", "big")));
  const v1::Error error = alice->NextError();
  EXPECT_EQ(error.outcome(), "MESSAGE_TOO_BIG");
  EXPECT_EQ(error.id(), "big");
  alice->Settle();
  alice->Send(AsFrame(Broadcast(std::string(64 << 10, 'x'))));
  EXPECT_EQ(alice->NextMessage().body().size(), size_t{64} << 10);
}

TEST_F(GrpcLimitsTest, AFrameOverTheLimitEndsTheStreamOnly) {
  StartServer();
  GrpcClient& client = NewClient();
  auto alice = client.Connect("alice");
  auto other = client.Connect("other");
  alice->NextWelcome();
  other->NextWelcome();
  alice->Send(AsFrame(Broadcast(std::string(grpc_options_.max_receive_bytes + 1, 'x'))));
  EXPECT_EQ(alice->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  other->Settle();
  Eventually("one session is left", [&] { return sessions() == 1; });

  v1::PublishResponse response;
  const v1::Message big = Broadcast(std::string(grpc_options_.max_receive_bytes + 1, 'x'));
  EXPECT_EQ(client.Publish(big, &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  other->Settle();
}

TEST_F(GrpcLimitsTest, MetadataOverTheLimitEndsTheCallOnly) {
  StartServer();
  GrpcClient& client = NewClient();
  auto other = client.Connect("other");
  other->NextWelcome();
  const Metadata large = {{"x-large", std::string(grpc_options_.max_metadata_bytes, 'x')}};
  const grpc::Status status = client.Connect("alice", large)->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "MESSAGE_TOO_BIG") << status.error_message();
  std::string response;
  for (const char* method : {"Publish", "History"}) {
    EXPECT_EQ(
        ReasonOf(client.Call(std::string("/crier.v1.Messaging/") + method, "", &response, large)),
        "MESSAGE_TOO_BIG");
  }
  other->Settle();
}

TEST_F(GrpcLimitsTest, MetadataFarOverTheLimitDisturbsNoOtherConnection) {
  StartServer();
  auto other = ConnectAs("other");
  // The first is more than clients are told; the second more than HPACK's decoder takes.
  for (const size_t bytes : {5 * grpc_options_.max_metadata_bytes, size_t{80'000}}) {
    const Metadata huge = {{"x-huge", std::string(bytes, 'x')}};
    EXPECT_FALSE(NewClient().Connect("alice", huge)->Finish().ok());
    other->Settle();
    ExpectAlive();
  }
}

TEST_F(GrpcLimitsTest, AStreamOverTheLimitWaitsInTheClient) {
  grpc_options_.max_streams_per_connection = 4;
  StartServer();
  GrpcClient& client = NewClient();
  std::vector<std::unique_ptr<GrpcStream>> streams;
  for (int i = 0; i < 4; ++i) {
    streams.push_back(client.Connect());
    streams.back()->NextWelcome();
  }
  auto fifth = client.Connect();
  EXPECT_FALSE(fifth->Next(std::chrono::milliseconds(200)).has_value());
  EXPECT_EQ(sessions(), 4);
  streams.pop_back();
  fifth->NextWelcome();
  ExpectAlive();
}

TEST_F(GrpcLimitsTest, AConnectionOverTheCapIsRefusedUntilOneLeaves) {
  connection_limits_.total = 2;
  StartServer();
  auto first = Connect();
  auto second_client = std::make_unique<GrpcClient>(server().addresses());
  auto second = second_client->Connect();
  second->NextWelcome();
  auto third = NewClient().Connect();
  EXPECT_EQ(third->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(open_connections(), 2u);
  first->Settle();

  second.reset();
  second_client.reset();
  Eventually("there is room again", [&] {
    auto late = NewClient().Connect();
    return late->Next().has_value();
  });
}

// A connection that is refused after its SETTINGS counts as one that came about, and gRPC's clients
// try again at once: 20 times a second.
TEST_F(GrpcLimitsTest, WhoIsRefusedWaitsBeforeItTriesAgain) {
  connection_limits_.total = 1;
  StartServer();
  auto first = Connect();
  GrpcClient& client = NewClient();
  client.channel()->GetState(/*try_to_connect=*/true);
  Eventually("it is refused", [&] { return refused_connections() == 1; });
  const auto end = std::chrono::system_clock::now() + std::chrono::milliseconds(2500);
  // Which tries again and again, as long as it may.
  EXPECT_FALSE(client.channel()->WaitForConnected(end));
  EXPECT_LE(refused_connections(), 4u);
  first->Settle();
}

TEST_F(GrpcLimitsTest, ManyReflectionStreamsDisturbNobody) {
  StartServer();
  GrpcClient& client = NewClient();
  std::vector<std::unique_ptr<GrpcStream>> streams;
  for (int i = 0; i < 200; ++i) {
    streams.push_back(std::make_unique<GrpcStream>(
        client.channel(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Metadata{}));
    streams.back()->SendBytes(std::string("\x3a\x01*", 3));
  }
  for (const auto& stream : streams) EXPECT_FALSE(stream->NextBytes().empty());
  ExpectAlive();
}

TEST_F(GrpcLimitsTest, TooManyTopicsIsToldByName) {
  engine_options_.max_topics_per_session = 2;
  StartServer();
  auto alice = Connect();
  alice->Send(Subscribe("one", "1"));
  alice->Send(Subscribe("two", "2"));
  alice->Send(Subscribe("three", "3"));
  // In any order: the two topics may have homes on two threads.
  std::vector<std::string> answers;
  for (int i = 0; i < 3; ++i) {
    const auto event = alice->Next();
    ASSERT_TRUE(event);
    answers.push_back(event->has_error() ? event->error().outcome() + " " + event->error().id()
                                         : "ack " + event->ack().topic());
  }
  EXPECT_THAT(answers, ::testing::UnorderedElementsAre("ack one", "ack two", "TOO_MANY_TOPICS 3"));
}

}  // namespace
}  // namespace crier::testing
