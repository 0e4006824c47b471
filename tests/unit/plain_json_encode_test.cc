// The plain dialect's messages from the server, byte for byte.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "server/codec/plain_json.h"

namespace crier {
namespace {

std::string Encoded(const v1::Event& event) {
  std::string out;
  AppendPlainJson(event, "crier/1.2.3", &out);
  return out;
}

// Of an event in protobuf's text form.
std::string Encoded(const std::string& text) {
  v1::Event event;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &event)) << text;
  return Encoded(event);
}

TEST(PlainJsonEncodeTest, DirectCarriesTheServersReceiveTime) {
  EXPECT_EQ(
      Encoded(R"(message { user_id: "7" action_type: DIRECT body: "1713910000000"
                 received_at: 1713910000123456789 })"),
      R"({"user_id":"7","action_type":"direct","body":"1713910000000","data":"1713910000123456789"})");
}

TEST(PlainJsonEncodeTest, DirectWithoutSenderOrBodyStillHasTheFourKeys) {
  EXPECT_EQ(Encoded("message { action_type: DIRECT }"),
            R"({"user_id":null,"action_type":"direct","body":"","data":"0"})");
}

TEST(PlainJsonEncodeTest, DirectShowsItsId) {
  EXPECT_EQ(Encoded(R"(message { user_id: "7" action_type: DIRECT body: "x" data: "not shown"
                       received_at: 5 id: "m1" })"),
            R"({"user_id":"7","action_type":"direct","body":"x","data":"5","id":"m1"})");
}

TEST(PlainJsonEncodeTest, BroadcastNamesTheServerUnlessTheSenderGaveData) {
  EXPECT_EQ(Encoded(R"(message { user_id: "7" action_type: BROADCAST body: "b" })"),
            R"({"user_id":"7","action_type":"broadcast","body":"b","data":"crier/1.2.3"})");
  EXPECT_EQ(Encoded(R"(message { user_id: "7" action_type: BROADCAST body: "b" data: "d" })"),
            R"({"user_id":"7","action_type":"broadcast","body":"b","data":"d"})");
  EXPECT_EQ(Encoded(R"(message { user_id: "7" action_type: BROADCAST body: "b" data: "" })"),
            R"({"user_id":"7","action_type":"broadcast","body":"b","data":""})");
}

TEST(PlainJsonEncodeTest, BroadcastSaysWhereItStands) {
  EXPECT_EQ(Encoded(R"(message { user_id: "7" action_type: BROADCAST body: "b" topic: "news"
                       offset: 12 epoch: 18446744073709551615 id: "m1" received_at: 5 })"),
            R"({"user_id":"7","action_type":"broadcast","body":"b","data":"crier/1.2.3",)"
            R"("topic":"news","offset":12,"epoch":18446744073709551615,"id":"m1"})");
}

TEST(PlainJsonEncodeTest, PingIsAnsweredByItsOwnName) {
  EXPECT_EQ(Encoded(R"(message { user_id: "7" action_type: PING data: "pong" })"),
            R"({"user_id":"7","action_type":"ping","body":null,"data":"pong"})");
  EXPECT_EQ(Encoded(R"(message { action_type: PONG body: "b" data: "ping" id: "i" })"),
            R"({"user_id":null,"action_type":"pong","body":"b","data":"ping","id":"i"})");
}

TEST(PlainJsonEncodeTest, AckNamesWhatWasDone) {
  EXPECT_EQ(Encoded(R"(ack { id: "m1" topic: "news" epoch: 9 offset: 12 recipients: 3
                       user_id: "7" })"),
            R"({"user_id":"7","action_type":"ack","body":null,"data":null,"topic":"news",)"
            R"("offset":12,"epoch":9,"id":"m1","recipients":3})");
  EXPECT_EQ(Encoded(R"(ack { id: "m1" duplicate: true })"),
            R"({"user_id":null,"action_type":"ack","body":null,"data":"duplicate","id":"m1"})");
}

TEST(PlainJsonEncodeTest, ErrorSaysWhatIsWrongInWordsAndByName) {
  EXPECT_EQ(Encoded(R"(error { outcome: "INVALID_MESSAGE" message: "\"body\" is missing"
                       id: "m1" user_id: "7" })"),
            R"({"user_id":"7","action_type":"error","body":"\"body\" is missing",)"
            R"("data":"INVALID_MESSAGE","id":"m1"})");
  EXPECT_EQ(Encoded(R"(error { outcome: "NO_RECIPIENT" message: "x" })"),
            R"({"user_id":null,"action_type":"error","body":"x","data":"NO_RECIPIENT"})");
}

TEST(PlainJsonEncodeTest, AnErrorSaysWhatToDo) {
  EXPECT_EQ(Encoded(R"(error { outcome: "RATE_LIMITED" message: "x" advice: "retry_after_slot"
                       retry_after { seconds: 4 nanos: 210000000 } })"),
            R"({"user_id":null,"action_type":"error","body":"x","data":"RATE_LIMITED",)"
            R"("advice":"retry_after_slot","retry_after_ms":4210})");
  EXPECT_EQ(Encoded(R"(error { outcome: "SHUTDOWN" message: "x" advice: "retry_after_slot"
                       retry_after {} })"),
            R"({"user_id":null,"action_type":"error","body":"x","data":"SHUTDOWN",)"
            R"("advice":"retry_after_slot","retry_after_ms":0})");
}

TEST(PlainJsonEncodeTest, DrainSaysWhenToComeBack) {
  EXPECT_EQ(Encoded("drain { reconnect_after { seconds: 1 nanos: 500000000 } }"),
            R"({"user_id":null,"action_type":"drain","body":"1500","data":"SHUTDOWN"})");
}

TEST(PlainJsonEncodeTest, GapNamesTopicEpochAndReasonAlsoOfTheEmptyTopic) {
  EXPECT_EQ(Encoded(R"(gap { topic: "news" epoch: 9 first: 3 last: 17 reason: SLOW_CONSUMER })"),
            R"({"user_id":null,"action_type":"gap","body":"3-17","data":"SLOW_CONSUMER",)"
            R"("topic":"news","epoch":9})");
  EXPECT_EQ(Encoded("gap { first: 1 last: 0 reason: NEW_EPOCH }"),
            R"({"user_id":null,"action_type":"gap","body":"1-0","data":"NEW_EPOCH",)"
            R"("topic":"","epoch":0})");
}

TEST(PlainJsonEncodeTest, AGapInTheMailboxHasNoTopic) {
  EXPECT_EQ(Encoded("gap { first: 3 last: 17 reason: SLOW_CONSUMER mailbox: true }"),
            R"({"user_id":null,"action_type":"gap","body":"3-17","data":"SLOW_CONSUMER"})");
}

TEST(PlainJsonEncodeTest, PresenceCountsSessionsAndListsUsers) {
  EXPECT_EQ(Encoded(R"(presence { topic: "news" id: "p1" sessions: 3 users: "7" users: "\"8" })"),
            R"({"user_id":null,"action_type":"presence","body":"3","data":null,"topic":"news",)"
            R"("id":"p1","users":["7","\"8"]})");
  EXPECT_EQ(Encoded("presence {}"),
            R"({"user_id":null,"action_type":"presence","body":"0","data":null,"users":[]})");
}

TEST(PlainJsonEncodeTest, PresenceThatChangesFollowHasAVersion) {
  EXPECT_EQ(
      Encoded(R"(presence { topic: "news" sessions: 3 users: "7" version: 5 user_count: 1 })"),
      R"({"user_id":null,"action_type":"presence","body":"3","data":null,"topic":"news",)"
      R"("users":["7"],"user_count":1,"version":5})");
}

TEST(PlainJsonEncodeTest, PresenceChangeNamesWhoCameAndWhoWent) {
  EXPECT_EQ(Encoded(R"(presence_change { topic: "news" joined: "7" joined: "\"8" left: "9" )"
                    R"(joined_count: 2 left_count: 1 sessions: 6 user_count: 4 version: 2 })"),
            R"({"user_id":null,"action_type":"presence_change","body":"6","data":null,)"
            R"("topic":"news","joined":["7","\"8"],"left":["9"],"joined_count":2,"left_count":1,)"
            R"("user_count":4,"version":2})");
  EXPECT_EQ(
      Encoded(R"(presence_change { joined_count: 200 sessions: 200 version: 3 })"),
      R"({"user_id":null,"action_type":"presence_change","body":"200","data":null,)"
      R"("joined":[],"left":[],"joined_count":200,"left_count":0,"user_count":0,"version":3})");
}

TEST(PlainJsonEncodeTest, AGapInPresenceIsMarked) {
  EXPECT_EQ(Encoded(R"(gap { topic: "t" epoch: 5 first: 1 last: 2 reason: SLOW_CONSUMER )"
                    R"(presence: true })"),
            R"({"user_id":null,"action_type":"gap","body":"1-2","data":"SLOW_CONSUMER",)"
            R"("topic":"t","epoch":5,"presence":true})");
}

TEST(PlainJsonEncodeTest, WhatTheDialectHasNoFormForIsLeftOut) {
  EXPECT_EQ(Encoded(R"(welcome { session_id: "s" })"), "");
  EXPECT_EQ(Encoded(R"(pong { id: "x" })"), "");
  EXPECT_EQ(Encoded(R"(message { body: "x" })"), "");
  EXPECT_EQ(Encoded(v1::Event()), "");
}

TEST(PlainJsonEncodeTest, AppendsToWhatIsThere) {
  v1::Event event;
  event.mutable_message()->set_action_type(v1::PING);
  std::string out = "before";
  AppendPlainJson(event, "crier", &out);
  EXPECT_EQ(out, R"(before{"user_id":null,"action_type":"ping","body":null,"data":null})");
}

TEST(PlainJsonEncodeTest, EscapesWhatJsonSaysAndNothingElse) {
  v1::Event event;
  event.mutable_message()->set_action_type(v1::PING);
  std::string all;
  for (char c = 0; c < 0x20; ++c) all += c;
  event.mutable_message()->set_body(all + "\"\\/\x7F\xE2\x80\xA8\xF0\x9F\x98\x80");
  EXPECT_EQ(
      Encoded(event),
      R"({"user_id":null,"action_type":"ping","body":")"
      R"(\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f)"
      R"(\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d)"
      R"(\u001e\u001f\"\\/)"
      "\x7F\xE2\x80\xA8\xF0\x9F\x98\x80"
      R"(","data":null})");
}

// The escaper looks at eight bytes at a time.
TEST(PlainJsonEncodeTest, EscapesAtEveryPlaceOfAWord) {
  for (size_t length = 0; length < 20; ++length) {
    for (size_t at = 0; at < length; ++at) {
      for (char c : {'"', '\\', '\n', '\x1F', '\0'}) {
        v1::Event event;
        event.mutable_message()->set_action_type(v1::PING);
        std::string body(length, ' ');
        for (size_t i = 0; i < length; ++i) body[i] = "ab! #[]~"[i % 8];
        body[at] = c;
        event.mutable_message()->set_body(body);
        const std::string escaped = c == '"'    ? "\\\""
                                    : c == '\\' ? "\\\\"
                                    : c == '\n' ? "\\n"
                                    : c == '\0' ? "\\u0000"
                                                : "\\u001f";
        EXPECT_EQ(Encoded(event), R"({"user_id":null,"action_type":"ping","body":")" +
                                      body.substr(0, at) + escaped + body.substr(at + 1) +
                                      R"(","data":null})");
      }
    }
  }
}

}  // namespace
}  // namespace crier
