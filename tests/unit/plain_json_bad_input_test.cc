// What the plain dialect refuses, and in which words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/version.hpp>
#include <string>
#include <vector>

#include "server/base/utf8.h"
#include "server/codec/plain_json.h"

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// REQUIRES: `text` is refused.
DecodeError Refused(std::string_view text) {
  v1::ClientFrame frame;
  auto error = DecodePlainJson(text, &frame);
  EXPECT_TRUE(error) << "taken: " << text << " as " << frame.ShortDebugString();
  return error.value_or(DecodeError{Outcome::kOk, "", ""});
}

struct Row {
  std::string text;
  std::string says;  // a part of the message
};

void ExpectInvalid(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const DecodeError error = Refused(row.text);
    EXPECT_EQ(error.outcome, Outcome::kInvalidMessage) << row.text;
    EXPECT_THAT(error.message, HasSubstr(row.says)) << row.text;
    EXPECT_EQ(FirstInvalidUtf8(error.message), error.message.size()) << row.text;
  }
}

TEST(PlainJsonBadInputTest, WhatIsNoJsonObjectIsRefusedWithTheBytesPosition) {
  ExpectInvalid({
      {"", "at byte 0: the text ends before the object does"},
      {" \n ", "at byte 3: the text ends before the object does"},
      {"hello", "at byte 0: unexpected 'h'"},
      {"null", "at byte 0: unexpected 'n'"},
      {"42", "at byte 0: unexpected '4'"},
      {"\"direct\"", "at byte 0: unexpected '\"'"},
      {"[]", "at byte 0: unexpected '['"},
      {R"([{"action_type":"ping"}])", "at byte 0: unexpected '['"},
      {"\xEF\xBB\xBF{}", "at byte 0: unexpected byte 0xEF"},
      {"{", "at byte 1: the text ends"},
      {R"({"action_type")", "the text ends"},
      {R"({"action_type":)", "the text ends"},
      {R"({"action_type":"pi)", "the text ends"},
      {R"({"action_type":"ping")", "the text ends"},
      {R"({"action_type":"ping",})", "at byte 22: unexpected '}'"},
      {R"({"action_type":"ping"]})", "at byte 21: unexpected ']'"},
      {R"({action_type:"ping"})", "at byte 1: unexpected 'a'"},
      {R"({'action_type':'ping'})", "at byte 1: unexpected '''"},
      {R"({"action_type":"ping","x":nul})", "at byte 26: unexpected 'n'"},
      {R"({"action_type":"ping","x":01})", "unexpected '1'"},
      {R"({"action_type":"ping","x":+1})", "unexpected '+'"},
      {R"({"action_type":"ping","x":NaN})", "unexpected 'N'"},
      {R"({"action_type":"ping"/* */})", "unexpected '/'"},
      {"{\"action_type\":\"pi\nng\"}", "at byte 18: unexpected byte 0x0A"},
      {R"({"action_type":"pi\xng"})", "unexpected 'x'"},
      {R"({"action_type":"pi\u12"})", "four hexadecimal digits"},
      {R"({"action_type":"ping","x":"\u12"})", "four hexadecimal digits"},
  });
}

#if BOOST_VERSION < 108300
// Newer versions of Boost take it for infinity, in a field that nobody reads.
TEST(PlainJsonBadInputTest, AnExponentHasALimit) {
  ExpectInvalid({{R"({"action_type":"ping","x":1e99999999999})", "exponent"}});
}
#endif

TEST(PlainJsonBadInputTest, EveryRefusalOfNoJsonShowsWhatWouldBeRight) {
  EXPECT_THAT(Refused("hello").message, HasSubstr(R"({"action_type":"direct","body":"hello"})"));
}

TEST(PlainJsonBadInputTest, NothingMayFollowTheObject) {
  ExpectInvalid({
      {R"({"action_type":"ping"}x)", "at byte 22: something follows the object"},
      {R"({"action_type":"ping"} {"action_type":"ping"})", "at byte 23: something follows"},
      {R"({"action_type":"ping"},)", "something follows"},
      {std::string(R"({"action_type":"ping"})") + '\0', "something follows"},
  });
}

TEST(PlainJsonBadInputTest, NestingHasALimit) {
  ExpectInvalid({
      {R"({"action_type":"ping","x":)" + std::string(100'000, '['), "deeper than 32 levels"},
      {[] {
         std::string text;
         for (int i = 0; i < 40; ++i) text += R"({"x":)";
         return text + "1" + std::string(40, '}');
       }(),
       "deeper than 32 levels"},
  });
}

TEST(PlainJsonBadInputTest, ARawNulIsRefused) {
  using std::string_literals::operator""s;
  ExpectInvalid({
      {"{\"action_type\":\"direct\",\"body\":\"a\0b\"}"s, "at byte 33: unexpected byte 0x00"},
      {"\0{}"s, "at byte 0: unexpected byte 0x00"},
      {"{\0}"s, "at byte 1: unexpected byte 0x00"},
  });
}

TEST(PlainJsonBadInputTest, HalfSurrogatesAreRefused) {
  for (const char* body : {R"(\ud83d)", R"(\ude00)", R"(\ud83dx)", R"(\ud83d\n)", R"(\ud83d\ud83d)",
                           R"(\ude00\ud83d)", R"(\uD83D\u0041)"}) {
    for (const char* tail : {"", "and a tail that is longer than the parser's own window"}) {
      const DecodeError error =
          Refused(std::string(R"({"action_type":"direct","body":")") + body + tail + R"("})");
      EXPECT_EQ(error.outcome, Outcome::kInvalidMessage) << body;
      EXPECT_THAT(error.message, HasSubstr("surrogate")) << body << tail;
    }
  }
}

TEST(PlainJsonBadInputTest, WhatIsNotUtf8IsRefusedAsSuchWithItsPosition) {
  for (const char* bytes : {
           "\x80",              // a continuation alone
           "\xC0\x80",          // overlong NUL
           "\xC1\xBF",          // overlong
           "\xC3",              // cut short
           "\xC3(",             // continued by ASCII
           "\xE0\x80\xAF",      // overlong
           "\xE2\x82",          // cut short
           "\xED\xA0\x80",      // a surrogate
           "\xF0\x80\x80\xAF",  // overlong
           "\xF0\x9F\x98",      // cut short
           "\xF4\x90\x80\x80",  // past U+10FFFF
           "\xF5\x80\x80\x80",
           "\xFE",
           "\xFF",
       }) {
    for (const char* tail : {"", "and a tail that is longer than the parser's own window"}) {
      const DecodeError error =
          Refused(std::string(R"({"action_type":"direct","body":")") + bytes + tail + R"("})");
      EXPECT_EQ(error.outcome, Outcome::kInvalidUtf8);
      EXPECT_THAT(error.message, HasSubstr("not UTF-8 at byte 32")) << tail;
      EXPECT_EQ(FirstInvalidUtf8(error.message), error.message.size());
    }
  }
  EXPECT_EQ(Refused("{\"\xFF\":1}").outcome, Outcome::kInvalidUtf8);
  EXPECT_EQ(Refused("{\"x\":{\"y\":[\"\xFF\"]}}").outcome, Outcome::kInvalidUtf8);
}

TEST(PlainJsonBadInputTest, EveryKeyHasItsTypes) {
  struct {
    const char* key;
    std::vector<const char*> wrong;
    const char* right;
  } keys[] = {
      {"action_type", {"null", "5", "1.5", "true", "{}", "[]"}, "has to be a string"},
      {"body", {"null", "1713910000000", "-1", "1.5", "false", "{}", "[]"}, "has to be a string"},
      {"user_id", {"1.5", "1e2", "true", "{}", "[]", "[7]"}, "a string, an integer or null"},
      {"data", {"5", "1.5", "true", "{}", "[]"}, "a string or null"},
      {"to", {"null", "5", "1.5", "true", "{}", "[]"}, "has to be a string"},
      {"topic", {"null", "5", "1.5", "true", "{}", "[]"}, "has to be a string"},
      {"id", {"null", "5", "1.5", "true", "{}", "[]"}, "has to be a string"},
  };
  for (const auto& row : keys) {
    for (const char* value : row.wrong) {
      for (const char* action : {"direct", "ping", "subscribe"}) {
        const std::string text = std::string(R"({"action_type":")") + action +
                                 R"(","body":"","topic":"",")" + row.key + "\":" + value + "}";
        const DecodeError error = Refused(text);
        EXPECT_EQ(error.outcome, Outcome::kInvalidMessage) << text;
        EXPECT_THAT(error.message,
                    AllOf(HasSubstr('"' + std::string(row.key) + '"'), HasSubstr(row.right)))
            << text;
      }
    }
  }
}

TEST(PlainJsonBadInputTest, NumbersAreNamedByWhatIsWrongWithThem) {
  ExpectInvalid({
      {R"({"action_type":"ping","user_id":1.5})", R"("user_id" is a fractional number)"},
      {R"({"action_type":"ping","user_id":1e400})", R"("user_id" is a fractional number)"},
      {R"({"action_type":"ping","user_id":18446744073709551616})",
       R"("user_id" is an integer out of range; it has to be between)"},
      {R"({"action_type":"ping","user_id":-9223372036854775809})",
       R"("user_id" is an integer out of range)"},
      {R"({"action_type":"ping","user_id":)" + std::string(5000, '9') + "}",
       R"("user_id" is an integer out of range)"},
      {R"({"action_type":"ping","body":5})", R"("body" is an integer; it has to be a string)"},
      {R"({"action_type":"ping","body":[]})", R"("body" is an array; it has to be a string)"},
  });
}

TEST(PlainJsonBadInputTest, MissingKeysAreNamedWithWhatNeedsThem) {
  ExpectInvalid({
      {"{}", R"("action_type" is missing; it has to be direct, broadcast, ping, pong)"},
      {R"({"body":"x"})", R"("action_type" is missing)"},
      {R"({"action_type":"direct"})", R"("body" is missing; direct has to have one, a string)"},
      {R"({"action_type":"BROADCAST"})", R"("body" is missing; broadcast has to have one)"},
      {R"({"action_type":"subscribe"})", R"("topic" is missing; subscribe has to have one)"},
      {R"({"action_type":"unsubscribe"})", R"("topic" is missing; unsubscribe has to have one)"},
      {R"({"action_type":"presence"})", R"("topic" is missing; presence has to have one)"},
  });
}

TEST(PlainJsonBadInputTest, UnknownActionsAreShownWithTheKnownOnes) {
  ExpectInvalid({
      {R"({"action_type":"shout"})", R"("action_type" is "shout"; it has to be direct, broadcast)"},
      {R"({"action_type":""})", R"("action_type" is "")"},
      {R"({"action_type":"dIRECT"})", R"("action_type" is "dIRECT")"},
      {R"({"action_type":"DIrect"})", R"("action_type" is "DIrect")"},
      {R"({"action_type":"direct "})", R"("action_type" is "direct ")"},
      {R"({"action_type":"hello"})", R"("action_type" is "hello")"},
      {R"({"action_type":"direct\u0000"})", R"("action_type" is "direct)"},
  });
}

TEST(PlainJsonBadInputTest, ALongActionIsShownInPartAndCutBetweenCharacters) {
  std::string action = "x";
  for (int i = 0; i < 10'000; ++i) action += "\xE2\x82\xAC";
  const DecodeError error = Refused(R"({"action_type":")" + action + R"("})");
  EXPECT_THAT(error.message, HasSubstr("\xE2\x82\xAC...\";"));
  EXPECT_LT(error.message.size(), 200u);
  EXPECT_EQ(FirstInvalidUtf8(error.message), error.message.size());
}

TEST(PlainJsonBadInputTest, ToResumeTakesBothNumbers) {
  const auto subscribe = [](std::string_view rest) {
    return std::string(R"({"action_type":"subscribe","topic":"t",)").append(rest).append("}");
  };
  ExpectInvalid({
      {subscribe(R"("epoch":1)"), R"("offset" is missing)"},
      {subscribe(R"("offset":1)"), R"("epoch" is missing)"},
      {subscribe(R"("epoch":-1,"offset":1)"), R"("epoch" is negative)"},
      {subscribe(R"("epoch":1,"offset":-1)"), R"("offset" is negative)"},
      {subscribe(R"("epoch":1.0,"offset":1)"), R"("epoch" is a fractional number)"},
      {subscribe(R"("epoch":1,"offset":"1")"), R"("offset" is a string)"},
      {subscribe(R"("epoch":null,"offset":1)"), R"("epoch" is null)"},
      {subscribe(R"("epoch":18446744073709551616,"offset":1)"), R"("epoch" is an integer out of)"},
      {subscribe(R"("epoch":1,"offset":{})"), R"("offset" is an object)"},
      {subscribe(R"("presence":"true")"), R"("presence" is a string; it has to be true or false)"},
      {subscribe(R"("presence":1)"), R"("presence" is an integer)"},
      {subscribe(R"("presence":null)"), R"("presence" is null)"},
  });
}

TEST(PlainJsonBadInputTest, TheFramesOwnIdComesBackWhereItCouldBeRead) {
  EXPECT_EQ(Refused(R"({"action_type":"direct","id":"m1"})").id, "m1");
  EXPECT_EQ(Refused(R"({"action_type":"direct","body":5,"id":"m1"})").id, "m1");
  EXPECT_EQ(Refused(R"({"id":"m1","action_type":"shout"})").id, "m1");
  EXPECT_EQ(Refused(R"({"id":"m1","action_type":"subscribe","topic":"t","epoch":1})").id, "m1");
  EXPECT_EQ(Refused(R"({"id":"m1","action_type":"presence"})").id, "m1");
  EXPECT_EQ(Refused(R"({"id":"m1",)").id, "m1");
  EXPECT_EQ(Refused(R"({"action_type":"direct","id":5})").id, "");
  EXPECT_EQ(Refused(R"({"id":"m1","action_type":"direct","id":null})").id, "");
  EXPECT_EQ(Refused("{\"id\":\"whole\",\"id\":\"cut \xE2\x82").id, "");
  EXPECT_EQ(Refused("hello").id, "");
}

TEST(PlainJsonBadInputTest, EveryPrefixOfAMessageIsRefused) {
  const std::string whole =
      R"({"action_type":"subscribe","topic":"\u20ac","epoch":12,"offset":-0,"x":[{"y":true}]})";
  v1::ClientFrame frame;
  ASSERT_FALSE(DecodePlainJson(whole, &frame));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(Refused(whole.substr(0, size)).message, Not(HasSubstr("missing"))) << size;
  }
}

}  // namespace
}  // namespace crier
