// Subscribe: a session that only listens.
#include <gtest/gtest.h>

#include <initializer_list>
#include <set>
#include <string>

#include "tests/support/grpc_fixture.h"

namespace crier::testing {
namespace {

class GrpcSubscribeTest : public GrpcTest {
 protected:
  GrpcSubscribeTest() {
    StartServer();
    publisher_ = &NewClient();
  }

  v1::PublishResponse Publish(const v1::Message& message) {
    v1::PublishResponse response;
    const grpc::Status status = publisher_->Publish(message, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

 private:
  GrpcClient* publisher_ = nullptr;
};

v1::SubscribeRequest To(std::initializer_list<const char*> topics) {
  v1::SubscribeRequest request;
  for (const char* topic : topics) request.add_topics(topic);
  return request;
}

TEST_F(GrpcSubscribeTest, BringsItsTopicsAndTheEmptyOne) {
  auto listener = NewClient().Subscribe(To({"a", "b"}), "alice");
  EXPECT_EQ(listener->NextWelcome().user_id(), "alice");
  Eventually("both topics are followed", [&] {
    return Publish(Broadcast("ask", "a")).recipients() == 1 &&
           Publish(Broadcast("ask", "b")).recipients() == 1;
  });
  Publish(Broadcast("in a", "a"));
  Publish(Broadcast("in b", "b"));
  Publish(Broadcast("in c", "c"));
  Publish(Broadcast("for all"));
  std::set<std::string> seen;
  while (seen.count("for all") == 0 || seen.count("in a") == 0 || seen.count("in b") == 0) {
    const v1::Message message = listener->NextMessage();
    ASSERT_FALSE(message.body().empty());
    ASSERT_NE(message.topic(), "c");
    seen.insert(message.body());
  }
}

TEST_F(GrpcSubscribeTest, ResumesWhereTheClientLeft) {
  const uint64_t epoch = Publish(Broadcast("1", "news")).epoch();
  for (int i = 2; i <= 6; ++i) Publish(Broadcast(std::to_string(i), "news"));
  v1::SubscribeRequest request;
  *request.add_resume() = At("news", epoch, 3);
  auto listener = Listen(request);
  for (int i = 4; i <= 6; ++i) {
    const v1::Message message = listener->NextMessage();
    EXPECT_EQ(message.body(), std::to_string(i));
    EXPECT_EQ(message.offset(), static_cast<uint64_t>(i));
  }
}

TEST_F(GrpcSubscribeTest, AnotherEpochIsAnsweredWithAGap) {
  const uint64_t epoch = Publish(Broadcast("1", "news")).epoch();
  v1::SubscribeRequest request;
  *request.add_resume() = At("news", epoch - 1, 17);
  auto listener = Listen(request);
  const v1::Gap gap = listener->NextGap();
  EXPECT_EQ(gap.reason(), v1::NEW_EPOCH);
  EXPECT_EQ(gap.topic(), "news");
  EXPECT_EQ(gap.epoch(), epoch);
}

TEST_F(GrpcSubscribeTest, TheRequestNamesTheUser) {
  v1::SubscribeRequest request;
  request.set_user_id("carol");
  auto carol = Listen(request);
  EXPECT_EQ(Publish(Direct("for carol", "carol")).recipients(), 1u);
  EXPECT_EQ(carol->NextMessage().body(), "for carol");
}

TEST_F(GrpcSubscribeTest, ATopicThatIsRefusedIsToldAndTheOthersStand) {
  auto listener = Listen(To({std::string(300, 'x').c_str(), "fine"}));
  EXPECT_FALSE(listener->NextError().outcome().empty());
  Eventually("the other is followed",
             [&] { return Publish(Broadcast("ask", "fine")).recipients() == 1; });
}

TEST_F(GrpcSubscribeTest, BytesThatAreNoRequestAreRefused) {
  GrpcStream call(NewClient().channel(), "/crier.v1.Messaging/Subscribe", {});
  call.SendBytes("\xff\xff");
  call.CloseSending();
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "INVALID_MESSAGE");
}

}  // namespace
}  // namespace crier::testing
