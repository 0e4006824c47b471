// Whatever text a client sends, every client receives: checked with random strings and a parser
// that is not ours.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <random>
#include <string>

#include "server/base/utf8.h"
#include "server/codec/plain_json.h"

namespace crier {
namespace {

namespace json = boost::json;

class RandomText {
 public:
  std::string Next() {
    std::string text;
    for (size_t left = Below(1 << Below(8)); left > 0; --left) AppendUtf8(CodePoint(), &text);
    return text;
  }
  uint32_t Below(uint32_t bound) {
    return std::uniform_int_distribution<uint32_t>(0, bound - 1)(random_);
  }

 private:
  uint32_t CodePoint() {
    static constexpr uint32_t kEnds[] = {0x20, 0x80, 0x80, 0x80, 0x800, 0x10000, 0x110000};
    const uint32_t point = Below(kEnds[Below(std::size(kEnds))]);
    if (point >= 0xD800 && point < 0xE000) return '"';
    return point;
  }
  static void AppendUtf8(uint32_t point, std::string* out) {
    const auto add = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
    if (point < 0x80) return add(point);
    if (point < 0x800) {
      add(0xC0 | point >> 6);
    } else {
      if (point < 0x10000) {
        add(0xE0 | point >> 12);
      } else {
        add(0xF0 | point >> 18);
        add(0x80 | (point >> 12 & 0x3F));
      }
      add(0x80 | (point >> 6 & 0x3F));
    }
    add(0x80 | (point & 0x3F));
  }

  std::mt19937 random_{20260101};  // fixed: a failure can be repeated
};

// `text` with every UTF-16 unit of it escaped, as some clients send it.
std::string FullyEscaped(const std::string& text) {
  std::string out = "\"";
  const auto escape = [&out](uint32_t unit) {
    char digits[8];
    std::snprintf(digits, sizeof(digits), "\\u%04X", unit & 0xFFFF);
    out += digits;
  };
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t point = length == 1 ? lead : lead & (0x7F >> length);
    for (size_t j = 1; j < length; ++j) {
      point = point << 6 | (static_cast<uint8_t>(text[i + j]) & 0x3F);
    }
    i += length;
    if (point >= 0x10000) escape(0xD7C0 + (point >> 10));
    escape(point < 0x10000 ? point : 0xDC00 | (point & 0x3FF));
  }
  return out + '"';
}

TEST(PlainJsonRoundTripTest, BroadcastsKeepEveryStringAsItWas) {
  RandomText random;
  for (int i = 0; i < 5000; ++i) {
    SCOPED_TRACE(i);
    const std::string user = random.Next(), body = random.Next(), data = random.Next(),
                      topic = random.Next(), id = random.Next();
    const bool escaped = random.Below(2) == 0;
    const auto value = [&](const std::string& text) {
      return escaped ? FullyEscaped(text) : json::serialize(json::value(text));
    };
    v1::ClientFrame frame;
    const auto error =
        DecodePlainJson("{\"action_type\":\"broadcast\",\"user_id\":" + value(user) +
                            ",\"body\":" + value(body) + ",\"data\":" + value(data) +
                            ",\"topic\":" + value(topic) + ",\"id\":" + value(id) + "}",
                        &frame);
    ASSERT_FALSE(error) << error->message;

    v1::Event event;
    *event.mutable_message() = std::move(*frame.mutable_publish());
    std::string out;
    AppendPlainJson(event, "crier", &out);
    const json::object object = json::parse(out).as_object();
    EXPECT_EQ(object.at("user_id"), user.empty() ? json::value(nullptr) : json::value(user));
    EXPECT_EQ(object.at("action_type"), "broadcast");
    EXPECT_EQ(object.at("body").as_string(), body);
    EXPECT_EQ(object.at("data").as_string(), data);
    EXPECT_EQ(object.contains("topic") ? object.at("topic").as_string() : "", topic);
    EXPECT_EQ(object.contains("id") ? object.at("id").as_string() : "", id);
  }
}

TEST(PlainJsonRoundTripTest, WhatTheServerSendsItAlsoTakes) {
  RandomText random;
  for (int i = 0; i < 2000; ++i) {
    v1::Event event;
    v1::Message& sent = *event.mutable_message();
    sent.set_action_type(random.Below(2) == 0 ? v1::DIRECT : v1::BROADCAST);
    sent.set_user_id(random.Next());
    sent.set_body(random.Next());
    sent.set_topic(random.Next());
    sent.set_id(random.Next());
    sent.set_offset(random.Below(3));
    std::string out;
    AppendPlainJson(event, "crier", &out);
    v1::ClientFrame frame;
    const auto error = DecodePlainJson(out, &frame);
    ASSERT_FALSE(error) << error->message;
    EXPECT_EQ(frame.publish().action_type(), sent.action_type());
    EXPECT_EQ(frame.publish().user_id(), sent.user_id());
    EXPECT_EQ(frame.publish().body(), sent.body());
    EXPECT_EQ(frame.publish().topic(), sent.topic());
    EXPECT_EQ(frame.publish().id(), sent.id());
  }
}

TEST(PlainJsonRoundTripTest, DamagedMessagesAreRefusedInWordsOrTaken) {
  RandomText random;
  const std::string whole =
      R"({"action_type":"subscribe","topic":"\u20ac","epoch":12,"offset":7,"user_id":-5,"id":"i"})";
  for (int i = 0; i < 50'000; ++i) {
    std::string text = whole;
    for (uint32_t hits = 1 + random.Below(3); hits > 0; --hits) {
      text[random.Below(static_cast<uint32_t>(text.size()))] = static_cast<char>(random.Below(256));
    }
    v1::ClientFrame frame;
    if (const auto error = DecodePlainJson(text, &frame)) {
      EXPECT_FALSE(error->message.empty());
      EXPECT_EQ(FirstInvalidUtf8(error->message), error->message.size()) << text;
      EXPECT_EQ(FirstInvalidUtf8(error->id), error->id.size()) << text;
      EXPECT_EQ(error->outcome, FirstInvalidUtf8(text) < text.size() ? Outcome::kInvalidUtf8
                                                                     : Outcome::kInvalidMessage);
    } else {
      EXPECT_EQ(FirstInvalidUtf8(text), text.size());
      EXPECT_NE(frame.frame_case(), v1::ClientFrame::FRAME_NOT_SET);
    }
  }
}

}  // namespace
}  // namespace crier
