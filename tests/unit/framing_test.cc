// Frames as bytes, and the plain dialect's encodings.
#include "server/websocket/framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/websocket/plain_encoding.h"

namespace crier {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Header(std::initializer_list<int> bytes) {
  std::string header;
  for (const int byte : bytes) header += static_cast<char>(byte);
  return header;
}

std::string TextFrame(size_t length) {
  std::string frame;
  AppendTextFrame(std::string(length, 'p'), &frame);
  return frame;
}

TEST(FramingTest, LengthsStandInTheirShortestForm) {
  EXPECT_EQ(TextFrame(0), Header({0x81, 0}));
  EXPECT_EQ(TextFrame(125), Header({0x81, 125}) + std::string(125, 'p'));
  EXPECT_EQ(TextFrame(126), Header({0x81, 126, 0, 126}) + std::string(126, 'p'));
  EXPECT_EQ(TextFrame(65535), Header({0x81, 126, 0xFF, 0xFF}) + std::string(65535, 'p'));
  EXPECT_EQ(TextFrame(65536),
            Header({0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}) + std::string(65536, 'p'));
}

TEST(FramingTest, AFrameMadeInPlaceIsTheSame) {
  for (const size_t length : {0, 1, 125, 126, 65535, 65536, 70000}) {
    std::string in_place = "what was there before";
    const size_t at = in_place.size();
    AppendFrameSpace(&in_place);
    in_place.append(length, 'p');
    CloseTextFrame(at, &in_place);
    EXPECT_TRUE(in_place == "what was there before" + TextFrame(length)) << length;
  }
}

TEST(FramingTest, ACompressedFrameHasRsv1) {
  std::string frame;
  AppendCompressedTextFrame("abc", &frame);
  EXPECT_EQ(frame, Header({0xC1, 3}) + "abc");
}

v1::Event Broadcast(const std::string& body) {
  v1::Event event;
  event.mutable_message()->set_action_type(v1::BROADCAST);
  event.mutable_message()->set_body(body);
  return event;
}

TEST(PlainEncodingTest, EventsEndToEndAreFramesEndToEnd) {
  std::string one, two, both;
  PlainEncoding().Append(Broadcast("1"), &one);
  PlainEncoding().Append(Broadcast(std::string(300, '2')), &two);
  PlainEncoding().Append(Broadcast("1"), &both);
  PlainEncoding().Append(Broadcast(std::string(300, '2')), &both);
  EXPECT_EQ(both, one + two);
  EXPECT_THAT(one.substr(2), StartsWith(R"({"user_id":null,"action_type":"broadcast","body":"1")"));
}

TEST(PlainEncodingTest, WhatTheDialectHasNoFormForLeavesNothing) {
  v1::Event welcome;
  welcome.mutable_welcome()->set_session_id("1");
  std::string out = "before";
  PlainEncoding().Append(welcome, &out);
  PlainDeflateEncoding().Append(welcome, &out);
  EXPECT_EQ(out, "before");
}

TEST(PlainEncodingTest, DeflatingIsUsedOnlyWhereItHelps) {
  std::string plain, deflated;
  PlainEncoding().Append(Broadcast(std::string(1000, 'a')), &plain);
  PlainDeflateEncoding().Append(Broadcast(std::string(1000, 'a')), &deflated);
  EXPECT_LT(deflated.size(), plain.size() / 4);
  EXPECT_EQ(static_cast<unsigned char>(deflated[0]), 0xC1);

  // Bytes that look random stay as they are.
  std::string noise;
  uint32_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    state = state * 1664525 + 1013904223;
    noise += static_cast<char>('!' + (state >> 24) % 90);
  }
  plain.clear();
  deflated.clear();
  PlainEncoding().Append(Broadcast(noise), &plain);
  PlainDeflateEncoding().Append(Broadcast(noise), &deflated);
  EXPECT_LE(deflated.size(), plain.size());
}

}  // namespace
}  // namespace crier
