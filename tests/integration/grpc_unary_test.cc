// Publish, History, health and reflection.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/grpc_fixture.h"

namespace crier::testing {
namespace {

class GrpcUnaryTest : public GrpcTest {
 protected:
  GrpcUnaryTest() {
    StartServer();
    client_ = &NewClient();
  }

  grpc::Status Publish(const v1::Message& message, const std::string& user = "") {
    return client_->Publish(message, &published_, user);
  }
  v1::HistoryResponse History(const std::string& topic, uint64_t from = 0, uint32_t most = 0) {
    v1::HistoryRequest request;
    request.set_topic(topic);
    request.set_from(from);
    request.set_max_events(most);
    v1::HistoryResponse response;
    EXPECT_TRUE(client_->History(request, &response).ok());
    return response;
  }

  GrpcClient* client_ = nullptr;
  v1::PublishResponse published_;
};

TEST_F(GrpcUnaryTest, PublishNamesTopicOffsetAndRecipients) {
  auto one = ConnectAndFollow("news");
  auto two = ConnectAndFollow("news");
  ASSERT_TRUE(Publish(Broadcast("hello", "news"), "paper").ok());
  EXPECT_EQ(published_.topic(), "news");
  EXPECT_EQ(published_.offset(), 1u);
  EXPECT_EQ(published_.recipients(), 2u);
  const v1::Message message = one->NextMessage();
  EXPECT_EQ(message.body(), "hello");
  EXPECT_EQ(message.user_id(), "paper");
  EXPECT_EQ(message.epoch(), published_.epoch());
  EXPECT_EQ(two->NextMessage().body(), "hello");
}

TEST_F(GrpcUnaryTest, PublishWithoutFollowersIsKept) {
  ASSERT_TRUE(Publish(Broadcast("early", "news")).ok());
  EXPECT_EQ(published_.recipients(), 0u);
  EXPECT_EQ(published_.offset(), 1u);
  ASSERT_EQ(History("news").events_size(), 1);
}

TEST_F(GrpcUnaryTest, TheSameIdOfTheSameUserIsPublishedOnce) {
  ASSERT_TRUE(Publish(Broadcast("once", "news", "id-1"), "alice").ok());
  EXPECT_FALSE(published_.duplicate());
  const v1::PublishResponse first = published_;
  ASSERT_TRUE(Publish(Broadcast("once", "news", "id-1"), "alice").ok());
  EXPECT_TRUE(published_.duplicate());
  EXPECT_EQ(published_.offset(), first.offset());
  ASSERT_TRUE(Publish(Broadcast("once", "news", "id-1"), "bob").ok());
  EXPECT_FALSE(published_.duplicate());
  EXPECT_EQ(History("news").events_size(), 2);
}

TEST_F(GrpcUnaryTest, DirectReachesTheUser) {
  auto bob = ConnectAs("bob");
  ASSERT_TRUE(Publish(Direct("psst", "bob"), "alice").ok());
  EXPECT_EQ(published_.recipients(), 1u);
  EXPECT_EQ(published_.offset(), 0u);
  EXPECT_EQ(bob->NextMessage().user_id(), "alice");
}

TEST_F(GrpcUnaryTest, RefusalsAreStatusesWithTheOutcomesName) {
  grpc::Status status = Publish(Direct("psst", "nobody"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(status), "NO_RECIPIENT");

  status = Publish(Broadcast(std::string((64 << 10) + 1, 'x')));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "MESSAGE_TOO_BIG");

  status = Publish(v1::Message());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "INVALID_MESSAGE");
  EXPECT_FALSE(status.error_message().empty());

  std::string response;
  status = client_->Call("/crier.v1.Messaging/Publish", "", &response);
  EXPECT_EQ(ReasonOf(status), "INVALID_MESSAGE");
  status = client_->Call("/crier.v1.Messaging/History", "\xff", &response);
  EXPECT_EQ(ReasonOf(status), "INVALID_MESSAGE");
}

TEST_F(GrpcUnaryTest, HistoryReturnsARangeOfTheLog) {
  for (int i = 1; i <= 10; ++i) ASSERT_TRUE(Publish(Broadcast(std::to_string(i), "news")).ok());
  const v1::HistoryResponse all = History("news");
  ASSERT_EQ(all.events_size(), 10);
  EXPECT_EQ(all.epoch(), published_.epoch());
  EXPECT_EQ(all.tail(), 1u);
  EXPECT_EQ(all.head(), 10u);
  const v1::HistoryResponse some = History("news", 4, 3);
  ASSERT_EQ(some.events_size(), 3);
  EXPECT_EQ(some.events(0).message().body(), "4");
  EXPECT_EQ(some.events(0).message().offset(), 4u);
  EXPECT_EQ(some.events(2).message().body(), "6");
}

TEST_F(GrpcUnaryTest, HistoryOfNothingIsEmpty) {
  const v1::HistoryResponse none = History("never heard of");
  EXPECT_EQ(none.events_size(), 0);
  EXPECT_EQ(none.head(), 0u);
  EXPECT_EQ(none.tail(), 1u);
}

TEST_F(GrpcUnaryTest, HistoryIsBounded) {
  auto alice = Connect();
  for (int i = 0; i < 1100; ++i) alice->Send(AsFrame(Broadcast("x", "busy")));
  alice->Settle();
  Eventually("all is in the log", [&] { return History("busy").head() == 1100; });
  EXPECT_EQ(History("busy", 0, 5000).events_size(), 1000);
}

TEST_F(GrpcUnaryTest, HealthFollowsReadiness) {
  EXPECT_EQ(client_->Health(), "SERVING");
  EXPECT_EQ(client_->Health("crier.v1.Messaging"), "SERVING");
  server().SetReady(false);
  EXPECT_EQ(client_->Health(), "NOT_SERVING");
  EXPECT_EQ(client_->Health("crier.v1.Messaging"), "NOT_SERVING");
  EXPECT_EQ(client_->Health("no.such.Service"), "status 5") << "NOT_FOUND is 5";
}

TEST_F(GrpcUnaryTest, UnknownMethodsAreUnimplemented) {
  std::string response;
  EXPECT_EQ(client_->Call("/crier.v1.Messaging/Dance", "", &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

// grpc/reflection/v1alpha/reflection.proto: field 7 of the request asks for the services, field 4
// for the file that declares a symbol; the answers hold the names, and the file's descriptor.
TEST_F(GrpcUnaryTest, ReflectionListsTheServicesAndTheirFile) {
  const std::string method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  GrpcStream call(client_->channel(), method, {});
  ASSERT_TRUE(call.SendBytes(std::string("\x3a\x01*", 3)));
  std::string answer = call.NextBytes();
  EXPECT_NE(answer.find("crier.v1.Messaging"), std::string::npos);

  const std::string symbol = "crier.v1.Messaging";
  ASSERT_TRUE(call.SendBytes("\x22" + std::string(1, static_cast<char>(symbol.size())) + symbol));
  answer = call.NextBytes();
  EXPECT_NE(answer.find("crier/v1/messaging.proto"), std::string::npos);
  EXPECT_NE(answer.find("SubscribeRequest"), std::string::npos);
  call.CloseSending();
  EXPECT_TRUE(call.Finish().ok());
}

}  // namespace
}  // namespace crier::testing
