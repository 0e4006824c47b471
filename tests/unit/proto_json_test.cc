// The dialect crier.v1.json, decoding and encoding (docs/protocol.md, "crier.v1.json").
#include "server/codec/proto_json.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "server/base/utf8.h"

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The frame in protobuf's text format; "refused: " and why.
std::string Decoded(std::string_view text) {
  v1::ClientFrame frame;
  if (const auto error = DecodeProtoJson(text, &frame)) return "refused: " + error->message;
  return frame.ShortDebugString();
}

std::string Encoded(const v1::Event& event) {
  std::string out;
  AppendProtoJson(event, &out);
  return out;
}

// --- Decoding.

TEST(ProtoJsonDecodeTest, EveryKindOfFrame) {
  EXPECT_EQ(Decoded(R"({"hello":{"resume":[{"epoch":"18446744073709551615","offset":7}],)"
                    R"("slowConsumerPolicy":"CLOSE","userId":"u"}})"),
            "hello { resume { epoch: 18446744073709551615 offset: 7 } "
            "slow_consumer_policy: CLOSE user_id: \"u\" }");
  EXPECT_EQ(Decoded(R"({"publish":{"id":"1","actionType":"BROADCAST","topic":"t","body":"b",)"
                    R"("data":""}})"),
            R"(publish { id: "1" action_type: BROADCAST topic: "t" body: "b" data: "" })");
  EXPECT_EQ(Decoded(R"({"subscribe":{"topic":"t","resume":{"topic":"t","epoch":1}},"userId":"u"})"),
            R"(subscribe { topic: "t" resume { topic: "t" epoch: 1 } } user_id: "u")");
  EXPECT_EQ(Decoded(R"({"unsubscribe":{"topic":"t"}})"), R"(unsubscribe { topic: "t" })");
  EXPECT_EQ(Decoded(R"({"ping":{"id":"p"}})"), R"(ping { id: "p" })");
  EXPECT_EQ(Decoded(R"({"presence":{"topic":"t","id":"p"}})"),
            R"(presence { topic: "t" id: "p" })");
}

TEST(ProtoJsonDecodeTest, NamesMayBeAsInTheProtoFilesAndEnumsNumbers) {
  EXPECT_EQ(Decoded(R"({"publish":{"action_type":1,"user_id":"7","body":"b"}})"),
            R"(publish { user_id: "7" action_type: DIRECT body: "b" })");
}

TEST(ProtoJsonDecodeTest, WhatIsUnknownIsIgnored) {
  EXPECT_EQ(Decoded(R"({"new":{"deep":[1,{"a":null}]},"ping":{"id":"p","more":true}})"),
            R"(ping { id: "p" })");
  EXPECT_EQ(Decoded(R"({"publish":{"actionType":"SHOUT","body":"b"}})"),
            R"(publish { body: "b" })");
  EXPECT_EQ(Decoded("{}"), "");
}

TEST(ProtoJsonDecodeTest, NullIsAbsent) {
  EXPECT_EQ(Decoded(R"({"publish":{"actionType":"DIRECT","body":"b","data":null,"to":null}})"),
            R"(publish { action_type: DIRECT body: "b" })");
  EXPECT_EQ(Decoded(R"({"publish":null})"), "");
}

TEST(ProtoJsonDecodeTest, EscapesAreUndone) {
  v1::ClientFrame frame;
  ASSERT_FALSE(
      DecodeProtoJson(R"({"publish":{"body":"\"\\\/\n\u0000\u20AC\ud83d\ude00"}})", &frame));
  EXPECT_EQ(frame.publish().body(), std::string("\"\\/\n\0€😀", 12));
}

TEST(ProtoJsonDecodeTest, WhatIsWrongIsNamedAndWhatWouldBeRight) {
  const auto refused = [](std::string_view what) {
    return AllOf(HasSubstr("refused: not a frame: "), HasSubstr(what),
                 HasSubstr(R"(send a crier.v1.ClientFrame in protobuf's JSON mapping, such as )"
                           R"({"publish":{"actionType":"DIRECT","body":"hello"}})"));
  };
  EXPECT_THAT(Decoded(""), refused("Unexpected end of string"));
  EXPECT_THAT(Decoded("hello"), refused("at 'hello'"));
  EXPECT_THAT(Decoded("[]"), refused("Root element must be a message"));
  EXPECT_THAT(Decoded("null"), refused("Root element must be a message"));
  EXPECT_THAT(Decoded("7"), refused("Root element must be a message"));
  EXPECT_THAT(Decoded(R"({"ping":{"id":"p"})"), refused("at the end"));
  EXPECT_THAT(Decoded(R"({"ping" {"id":"p"}})"), refused("Expected :"));
  EXPECT_THAT(Decoded(R"({"ping":{}} {})"), refused("before end of input, at '{}'"));
  EXPECT_THAT(Decoded(R"({"ping":7})"), refused("ping"));
  EXPECT_THAT(Decoded(R"({"publish":{"body":5}})"), refused("(publish.body): invalid value 5"));
  EXPECT_THAT(Decoded(R"({"publish":{"body":["b"]}})"),
              refused("body: Proto field is not repeating"));
  EXPECT_THAT(Decoded(R"({"publish":{"body":{}}})"), refused("body"));
  EXPECT_THAT(Decoded(R"({"publish":{"actionType":1.5}})"), refused("publish.action_type"));
  EXPECT_THAT(Decoded(R"({"hello":{"resume":[{"offset":-1}]}})"),
              refused("offset): invalid value -1"));
  EXPECT_THAT(Decoded(R"({"hello":{"resume":[{"offset":"18446744073709551616"}]}})"),
              refused("18446744073709551616"));
  EXPECT_THAT(Decoded(R"({"ping":{"id":"p"},"hello":{}})"), refused("already set"));
}

TEST(ProtoJsonDecodeTest, HalfOfASurrogatePairIsRefused) {
  for (const char* half : {R"({"ping":{"id":"\ud83d"}})", R"({"ping":{"id":"\ude00"}})",
                           R"({"ping":{"id":"\ud83d\ud83d"}})", R"({"ping":{"id":"\ud83dx"}})"}) {
    EXPECT_THAT(Decoded(half), HasSubstr("refused: ")) << half;
  }
}

TEST(ProtoJsonDecodeTest, BadUtf8IsSaidToBe) {
  v1::ClientFrame frame;
  const auto error = DecodeProtoJson("{\"ping\":{\"id\":\"\xFF\"}}", &frame);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->outcome, Outcome::kInvalidUtf8);
  EXPECT_THAT(error->message, HasSubstr("at byte 15"));
}

TEST(ProtoJsonDecodeTest, AnErrorIsShortAndUtf8HoweverLongTheInput) {
  std::string euros;
  for (int i = 0; i < 10'000; ++i) euros += "€";
  for (const std::string& text :
       {R"({"hello":{"resume":[{"offset":")" + euros + R"("}]}})", "{\"ping\":{\"id\":\"" + euros,
        "{\"ping\":{\"id\":\"" + euros + "\" \"" + euros, "{\"" + euros + "\":}"}) {
    for (size_t shift = 0; shift < 3; ++shift) {
      v1::ClientFrame frame;
      const auto error = DecodeProtoJson(std::string(shift, ' ') + text, &frame);
      ASSERT_TRUE(error);
      EXPECT_EQ(error->outcome, Outcome::kInvalidMessage);
      EXPECT_LT(error->message.size(), 500u);
      EXPECT_EQ(FirstInvalidUtf8(error->message), error->message.size());
    }
  }
}

TEST(ProtoJsonDecodeTest, DepthHarmsNobody) {
  const auto nested = [](std::string_view before, std::string_view open, std::string_view close,
                         size_t depth) {
    std::string text(before);
    for (size_t i = 0; i < depth; ++i) text += open;
    text += "1";
    for (size_t i = 0; i < depth; ++i) text += close;
    return text + R"(,"ping":{"id":"p"}})";
  };
  constexpr std::string_view kUnknown = R"({"new":)";
  constexpr std::string_view kKnown = R"({"hello":{"resume":)";
  EXPECT_EQ(Decoded(nested(kUnknown, R"({"a":)", "}", 50)), R"(ping { id: "p" })");
  EXPECT_THAT(Decoded(nested(kUnknown, R"({"a":)", "}", 20'000)), HasSubstr("too deep"));
  EXPECT_THAT(Decoded(nested(kUnknown, R"({"a":)", "", 20'000)), HasSubstr("refused: "));
  EXPECT_EQ(Decoded(nested(kUnknown, "[", "]", 60'000)), R"(ping { id: "p" })");
  EXPECT_THAT(Decoded(nested(kUnknown, "[", "", 120'000)), HasSubstr("refused: "));
  EXPECT_THAT(Decoded(nested(kKnown, "[", "]", 60'000)), HasSubstr("refused: "));
  EXPECT_THAT(Decoded(nested(kKnown, "[", "", 120'000)), HasSubstr("refused: "));
}

// --- Encoding.

TEST(ProtoJsonEncodeTest, AnEventIsAServerFrame) {
  v1::Event event;
  v1::Message& message = *event.mutable_message();
  message.set_user_id("7");
  message.set_action_type(v1::BROADCAST);
  message.set_body("\"€\n");
  message.set_data("");
  message.set_offset(18446744073709551615u);
  message.set_epoch(1713910000120000);
  message.set_received_at(1713910000123456789);
  EXPECT_EQ(Encoded(event), R"({"events":[{"message":{"userId":"7","actionType":"BROADCAST",)"
                            R"("body":"\"€\n","data":"","offset":"18446744073709551615",)"
                            R"("epoch":"1713910000120000","receivedAt":"1713910000123456789"}}]})");
}

TEST(ProtoJsonEncodeTest, EventsOfTheServer) {
  v1::Event event;
  v1::Welcome& welcome = *event.mutable_welcome();
  welcome.set_session_id("12");
  welcome.set_server("crier/0.1.0");
  welcome.mutable_limits()->set_max_body_bytes(65536);
  welcome.mutable_reconnect_after()->set_seconds(3);
  welcome.mutable_reconnect_after()->set_nanos(250'000'000);
  EXPECT_EQ(Encoded(event), R"({"events":[{"welcome":{"sessionId":"12","server":"crier/0.1.0",)"
                            R"("limits":{"maxBodyBytes":65536},"reconnectAfter":"3.250s"}}]})");
  event.mutable_gap()->set_topic("t");
  event.mutable_gap()->set_first(2);
  event.mutable_gap()->set_last(5);
  event.mutable_gap()->set_reason(v1::EXPIRED);
  EXPECT_EQ(Encoded(event), R"({"events":[{"gap":{"topic":"t","first":"2","last":"5",)"
                            R"("reason":"EXPIRED"}}]})");
  event.mutable_presence()->add_users("a");
  event.mutable_presence()->set_sessions(2);
  EXPECT_EQ(Encoded(event), R"({"events":[{"presence":{"sessions":"2","users":["a"]}}]})");
  event.mutable_pong();
  EXPECT_EQ(Encoded(event), R"({"events":[{"pong":{}}]})");
}

TEST(ProtoJsonEncodeTest, ItIsAppended) {
  v1::Event event;
  event.mutable_pong()->set_id("p");
  std::string out = "before";
  AppendProtoJson(event, &out);
  EXPECT_EQ(out, R"(before{"events":[{"pong":{"id":"p"}}]})");
}

TEST(ProtoJsonEncodeTest, AnyTextComesBack) {
  v1::ServerFrame sent;
  v1::Message& message = *sent.add_events()->mutable_message();
  for (char c = 0; c < 0x7F; ++c) message.mutable_body()->push_back(c);
  message.mutable_body()->append("\x7F é € 😀 \u2028 </script>");
  v1::ServerFrame received;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(Encoded(sent.events(0)), &received).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(sent, received));
}

}  // namespace
}  // namespace crier
