// What the plain dialect's messages mean: each test names one rule of docs/protocol.md, "Plain
// dialect".
#include <gtest/gtest.h>

#include <string>

#include "server/codec/plain_json.h"

namespace crier {
namespace {

// The frame that `text` decodes to, in protobuf's short text form; or the error, in capitals.
std::string Decoded(std::string_view text) {
  v1::ClientFrame frame;
  if (const auto error = DecodePlainJson(text, &frame)) {
    return std::string(Info(error->outcome).name) + ": " + error->message;
  }
  return frame.ShortDebugString();
}

TEST(PlainJsonDecodeTest, DirectComesBackWithItsBodyAndSender) {
  EXPECT_EQ(Decoded(R"({"user_id":"7","action_type":"direct","body":"1713910000000"})"),
            R"(publish { user_id: "7" action_type: DIRECT body: "1713910000000" })");
}

TEST(PlainJsonDecodeTest, AuthHasItsTokenInTheBody) {
  EXPECT_EQ(Decoded(R"({"action_type":"auth","body":"a.b.c"})"), R"(auth { token: "a.b.c" })");
  EXPECT_EQ(Decoded(R"({"action_type":"AUTH","body":"a.b.c","id":"1","user_id":"x"})"),
            R"(auth { token: "a.b.c" id: "1" })");
  EXPECT_EQ(Decoded(R"({"action_type":"auth"})"),
            "INVALID_MESSAGE: \"body\" is missing; auth has to have one, a string");
}

TEST(PlainJsonDecodeTest, DirectMayNameItsReceiver) {
  EXPECT_EQ(Decoded(R"({"action_type":"direct","body":"x","to":"8","id":"m1"})"),
            R"(publish { id: "m1" action_type: DIRECT to: "8" body: "x" })");
}

TEST(PlainJsonDecodeTest, BroadcastKeepsTopicDataAndId) {
  EXPECT_EQ(
      Decoded(R"({"action_type":"broadcast","body":"x","topic":"news","data":"d","id":"m1"})"),
      R"(publish { id: "m1" action_type: BROADCAST topic: "news" body: "x" data: "d" })");
}

TEST(PlainJsonDecodeTest, DataOfNullIsNoDataAndEmptyDataIsData) {
  EXPECT_EQ(Decoded(R"({"action_type":"broadcast","body":"x","data":null})"),
            R"(publish { action_type: BROADCAST body: "x" })");
  EXPECT_EQ(Decoded(R"({"action_type":"broadcast","body":"x","data":""})"),
            R"(publish { action_type: BROADCAST body: "x" data: "" })");
}

TEST(PlainJsonDecodeTest, AnEmptyBodyIsABody) {
  EXPECT_EQ(Decoded(R"({"action_type":"direct","body":""})"), "publish { action_type: DIRECT }");
}

TEST(PlainJsonDecodeTest, PingAndPongNeedNoBodyButKeepIt) {
  EXPECT_EQ(Decoded(R"({"action_type":"ping"})"), "publish { action_type: PING }");
  EXPECT_EQ(Decoded(R"({"action_type":"pong","user_id":3,"body":"b","id":"i"})"),
            R"(publish { id: "i" user_id: "3" action_type: PONG body: "b" })");
}

TEST(PlainJsonDecodeTest, UserIdMayBeAnInteger) {
  const auto user = [](std::string_view number) {
    v1::ClientFrame frame;
    const auto error = DecodePlainJson(
        std::string(R"({"action_type":"ping","user_id":)").append(number).append("}"), &frame);
    return error ? error->message : frame.publish().user_id();
  };
  EXPECT_EQ(user("0"), "0");
  EXPECT_EQ(user("-0"), "0");
  EXPECT_EQ(user("42"), "42");
  EXPECT_EQ(user("-42"), "-42");
  EXPECT_EQ(user("9007199254740993"), "9007199254740993");  // 2^53 + 1: no double in between
  EXPECT_EQ(user("9223372036854775808"), "9223372036854775808");
  EXPECT_EQ(user("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(user("-9223372036854775808"), "-9223372036854775808");
}

TEST(PlainJsonDecodeTest, UserIdOfNullIsNobody) {
  EXPECT_EQ(Decoded(R"({"action_type":"ping","user_id":null})"), "publish { action_type: PING }");
  EXPECT_EQ(Decoded(R"({"action_type":"ping","user_id":"a","user_id":null})"),
            "publish { action_type: PING }");
}

TEST(PlainJsonDecodeTest, ActionsComeInSmallLettersInCapitalsOrCapitalised) {
  struct {
    const char* spelling;
    const char* frame;
  } rows[] = {
      {"direct", "publish { action_type: DIRECT }"},
      {"DIRECT", "publish { action_type: DIRECT }"},
      {"Direct", "publish { action_type: DIRECT }"},
      {"broadcast", "publish { action_type: BROADCAST }"},
      {"BROADCAST", "publish { action_type: BROADCAST }"},
      {"Broadcast", "publish { action_type: BROADCAST }"},
      {"ping", "publish { action_type: PING }"},
      {"PING", "publish { action_type: PING }"},
      {"Ping", "publish { action_type: PING }"},
      {"pong", "publish { action_type: PONG }"},
      {"PONG", "publish { action_type: PONG }"},
      {"Pong", "publish { action_type: PONG }"},
      {"subscribe", "subscribe { }"},
      {"SUBSCRIBE", "subscribe { }"},
      {"Subscribe", "subscribe { }"},
      {"unsubscribe", "unsubscribe { }"},
      {"UNSUBSCRIBE", "unsubscribe { }"},
      {"Unsubscribe", "unsubscribe { }"},
      {"presence", "presence { }"},
      {"PRESENCE", "presence { }"},
      {"Presence", "presence { }"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(
        Decoded(std::string(R"({"body":"","topic":"","action_type":")") + row.spelling + "\"}"),
        row.frame);
  }
}

TEST(PlainJsonDecodeTest, TopicFramesKeepTopicAndId) {
  EXPECT_EQ(Decoded(R"({"action_type":"subscribe","topic":"news","id":"s1"})"),
            R"(subscribe { topic: "news" id: "s1" })");
  EXPECT_EQ(Decoded(R"({"action_type":"unsubscribe","topic":"news","id":"s2"})"),
            R"(unsubscribe { topic: "news" id: "s2" })");
  EXPECT_EQ(Decoded(R"({"action_type":"presence","topic":"news","id":"s3"})"),
            R"(presence { topic: "news" id: "s3" })");
}

TEST(PlainJsonDecodeTest, TopicFramesNameTheSessionsUser) {
  for (const std::string action : {"subscribe", "unsubscribe", "presence"}) {
    EXPECT_EQ(Decoded(R"({"user_id":7,"topic":"t","action_type":")" + action + "\"}"),
              action + R"( { topic: "t" } user_id: "7")");
  }
}

TEST(PlainJsonDecodeTest, SubscribeAsksForPresence) {
  EXPECT_EQ(Decoded(R"({"action_type":"subscribe","topic":"t","presence":true})"),
            R"(subscribe { topic: "t" presence: true })");
  EXPECT_EQ(Decoded(R"({"action_type":"subscribe","topic":"t","presence":false})"),
            R"(subscribe { topic: "t" })");
  // It means nothing elsewhere.
  EXPECT_EQ(Decoded(R"({"action_type":"unsubscribe","topic":"t","presence":7})"),
            R"(unsubscribe { topic: "t" })");
}

TEST(PlainJsonDecodeTest, SubscribeResumesFromEpochAndOffset) {
  EXPECT_EQ(Decoded(R"({"action_type":"subscribe","topic":"t","epoch":18446744073709551615,)"
                    R"("offset":12})"),
            R"(subscribe { topic: "t" resume { topic: "t" epoch: 18446744073709551615 )"
            R"(offset: 12 } })");
  EXPECT_EQ(Decoded(R"({"action_type":"subscribe","topic":"","epoch":0,"offset":0})"),
            R"(subscribe { resume { } })");
  EXPECT_EQ(Decoded(R"({"action_type":"subscribe","epoch":7,"offset":3})"),
            R"(subscribe { resume { epoch: 7 offset: 3 } })");
}

TEST(PlainJsonDecodeTest, EpochAndOffsetMeanNothingElsewhere) {
  EXPECT_EQ(Decoded(R"({"action_type":"ping","epoch":"x","offset":[]})"),
            "publish { action_type: PING }");
}

TEST(PlainJsonDecodeTest, KeysComeInAnyOrderAndWithSpace) {
  EXPECT_EQ(Decoded(" \t\r\n{ \"body\" : \"x\" ,\n \"action_type\" : \"direct\" } \n "),
            R"(publish { action_type: DIRECT body: "x" })");
}

TEST(PlainJsonDecodeTest, UnknownKeysAreIgnoredWhateverTheyHold) {
  EXPECT_EQ(Decoded(R"({"x":1,"action_type":"direct","y":{"body":"no","deep":[{"id":"no"}]},)"
                    R"("body":"yes","z":[1,2.5e3,null,true,"to"],"":"","Body":"no","a b":null})"),
            R"(publish { action_type: DIRECT body: "yes" })");
}

TEST(PlainJsonDecodeTest, OfAKeyThatComesTwiceTheLastCounts) {
  EXPECT_EQ(Decoded(R"({"action_type":"direct","body":"first","body":"last"})"),
            R"(publish { action_type: DIRECT body: "last" })");
  EXPECT_EQ(Decoded(R"({"action_type":5,"body":{},"action_type":"direct","body":"last"})"),
            R"(publish { action_type: DIRECT body: "last" })");
  EXPECT_EQ(Decoded(R"({"action_type":"ping","user_id":"a long one, not in place","user_id":5})"),
            R"(publish { user_id: "5" action_type: PING })");
}

TEST(PlainJsonDecodeTest, EscapesAreUndoneInKeysAndValues) {
  EXPECT_EQ(Decoded(R"({"\u0061ction\u005ftype":"\u0064irect","bod\u0079":"x"})"),
            R"(publish { action_type: DIRECT body: "x" })");
  v1::ClientFrame frame;
  ASSERT_FALSE(DecodePlainJson(
      R"({"action_type":"direct","body":"\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00"})", &frame));
  EXPECT_EQ(frame.publish().body(), "\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(PlainJsonDecodeTest, AnEscapedNulIsABodyLikeAnyOther) {
  v1::ClientFrame frame;
  ASSERT_FALSE(DecodePlainJson(R"({"action_type":"direct","body":"a\u0000b"})", &frame));
  EXPECT_EQ(frame.publish().body(), std::string("a\0b", 3));
}

TEST(PlainJsonDecodeTest, ABodyOf64KiBIsTakenWhole) {
  for (const char* unit : {"x", "\xE2\x82\xAC", "\\n", "\\u20ac"}) {
    std::string body;
    while (body.size() < 65536) body += unit;
    v1::ClientFrame frame;
    const auto error =
        DecodePlainJson(R"({"action_type":"direct","body":")" + body + R"("})", &frame);
    ASSERT_FALSE(error) << error->message;
    const size_t units = body.size() / std::string_view(unit).size();
    const size_t unit_size = unit[0] != '\\'  ? std::string_view(unit).size()
                             : unit[1] == 'n' ? 1
                                              : 3;
    EXPECT_EQ(frame.publish().body().size(), units * unit_size);
  }
}

TEST(PlainJsonDecodeTest, NestingIsFineUpToTheLimit) {
  const auto nested = [](size_t levels) {
    return R"({"action_type":"ping","x":)" + std::string(levels - 1, '[') +
           std::string(levels - 1, ']') + "}";
  };
  EXPECT_EQ(Decoded(nested(kPlainJsonMaxDepth)), "publish { action_type: PING }");
  EXPECT_EQ(Decoded(nested(kPlainJsonMaxDepth + 1)).substr(0, 16), "INVALID_MESSAGE:");
}

}  // namespace
}  // namespace crier
