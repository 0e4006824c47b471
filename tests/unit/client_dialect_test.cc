#include <gtest/gtest.h>

#include <string>

#include "client/plain_dialect.h"
#include "client/text.h"

namespace crier::client {
namespace {

TEST(PlainDialectTest, WritesAPublishWithItsFourKeysFirst) {
  v1::ClientFrame frame;
  v1::Message* message = frame.mutable_publish();
  message->set_user_id("7");
  message->set_action_type(v1::BROADCAST);
  message->set_body("say \"hi\"\n");
  EXPECT_EQ(EncodePlain(frame).value(),
            R"({"user_id":"7","action_type":"broadcast","body":"say \"hi\"\n","data":null})");
  message->clear_user_id();
  message->set_action_type(v1::DIRECT);
  message->set_to("8");
  message->set_id("i");
  message->set_body("x");
  EXPECT_EQ(EncodePlain(frame).value(),
            R"({"user_id":null,"action_type":"direct","body":"x","data":null,"to":"8","id":"i"})");
}

TEST(PlainDialectTest, WritesTheOtherFrames) {
  v1::ClientFrame frame;
  frame.mutable_subscribe()->set_topic("t");
  EXPECT_EQ(EncodePlain(frame).value(), R"({"action_type":"subscribe","topic":"t"})");
  frame.mutable_subscribe()->clear_topic();
  EXPECT_EQ(EncodePlain(frame).value(), R"({"action_type":"subscribe","topic":""})");
  frame.mutable_unsubscribe()->set_topic("t");
  EXPECT_EQ(EncodePlain(frame).value(), R"({"action_type":"unsubscribe","topic":"t"})");
  frame.mutable_hello();
  EXPECT_FALSE(EncodePlain(frame).ok());
  EXPECT_FALSE(EncodePlain(v1::ClientFrame()).ok());
}

TEST(PlainDialectTest, ReadsWhatAServerSends) {
  v1::Event event =
      DecodePlain(
          R"({"user_id":"7","action_type":"broadcast","body":"b","data":"d","topic":"t","offset":3,"epoch":18446744073709551615})")
          .value();
  EXPECT_EQ(event.message().action_type(), v1::BROADCAST);
  EXPECT_EQ(event.message().offset(), 3u);
  EXPECT_EQ(event.message().epoch(), UINT64_MAX);
  event = DecodePlain(R"({"user_id":null,"action_type":"direct","body":"b","data":"123"})").value();
  EXPECT_EQ(event.message().received_at(), 123);
  event =
      DecodePlain(
          R"({"user_id":"7","action_type":"ack","body":null,"data":"duplicate","offset":3,"epoch":4,"id":"i","recipients":9})")
          .value();
  EXPECT_EQ(event.ack().id(), "i");
  EXPECT_EQ(event.ack().recipients(), 9u);
  EXPECT_TRUE(event.ack().duplicate());
  event =
      DecodePlain(
          R"({"user_id":null,"action_type":"gap","body":"3-9","data":"EXPIRED","topic":"","epoch":4})")
          .value();
  EXPECT_EQ(event.gap().last(), 9u);
  EXPECT_EQ(event.gap().reason(), v1::EXPIRED);
  EXPECT_FALSE(event.gap().mailbox());
  event =
      DecodePlain(
          R"({"user_id":null,"action_type":"presence","body":"2","data":null,"topic":"t","users":["a","b"]})")
          .value();
  EXPECT_EQ(event.presence().sessions(), 2u);
  EXPECT_EQ(event.presence().users_size(), 2);
  event =
      DecodePlain(
          R"({"user_id":null,"action_type":"presence_change","body":"4","data":null,"topic":"t","joined":["a","b"],"left":["c"],"joined_count":2,"left_count":1,"user_count":3,"version":7})")
          .value();
  EXPECT_EQ(event.ShortDebugString(),
            R"(presence_change { topic: "t" joined: "a" joined: "b" left: "c" joined_count: 2 )"
            R"(left_count: 1 sessions: 4 user_count: 3 version: 7 })");
  event =
      DecodePlain(
          R"({"user_id":null,"action_type":"gap","body":"1-2","data":"SLOW_CONSUMER","topic":"t","epoch":5,"presence":true})")
          .value();
  EXPECT_TRUE(event.gap().presence());
  event =
      DecodePlain(
          R"({"user_id":null,"action_type":"error","body":"why","data":"NO_RECIPIENT","id":"i"})")
          .value();
  EXPECT_EQ(event.error().outcome(), "NO_RECIPIENT");
  EXPECT_EQ(event.error().advice(), "");
  EXPECT_FALSE(event.error().has_retry_after());
  event =
      DecodePlain(
          R"({"user_id":null,"action_type":"error","body":"why","data":"SHUTDOWN","advice":"retry_after_slot","retry_after_ms":1500})")
          .value();
  EXPECT_EQ(event.error().advice(), "retry_after_slot");
  EXPECT_EQ(event.error().retry_after().seconds(), 1);
  EXPECT_EQ(event.error().retry_after().nanos(), 500'000'000);
  event = DecodePlain(R"({"user_id":null,"action_type":"drain","body":"2500","data":"SHUTDOWN"})")
              .value();
  EXPECT_EQ(event.drain().reconnect_after().seconds(), 2);
}

TEST(PlainDialectTest, RefusesWhatIsNoEvent) {
  for (const char* text : {"", "x", "[]", "{}", R"({"action_type":"shout"})",
                           R"({"action_type":"gap","body":"9","data":null})"}) {
    EXPECT_FALSE(DecodePlain(text).ok()) << text;
  }
}

TEST(TextTest, SplitsOnce) {
  EXPECT_EQ(SplitOnce("a=b=c", '=').first, "a");
  EXPECT_EQ(SplitOnce("a=b=c", '=').second, "b=c");
  EXPECT_EQ(SplitOnce("abc", '=').first, "abc");
  EXPECT_EQ(SplitOnce("abc", '=').second, "");
}

}  // namespace
}  // namespace crier::client
