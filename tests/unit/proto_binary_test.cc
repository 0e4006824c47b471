// The dialect crier.v1.proto, decoding (docs/protocol.md, "crier.v1.proto").
#include "server/codec/proto_binary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

v1::ClientFrame Frame() {
  v1::ClientFrame frame;
  v1::Message& message = *frame.mutable_publish();
  message.set_action_type(v1::BROADCAST);
  message.set_body("hello");
  message.set_data("");
  return frame;
}

void ExpectRefused(std::string_view bytes) {
  v1::ClientFrame frame;
  const auto error = DecodeProtoBinary(bytes, &frame);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->outcome, Outcome::kInvalidMessage);
  EXPECT_THAT(error->message, AllOf(HasSubstr("not a crier.v1.ClientFrame"), HasSubstr("UTF-8"),
                                    HasSubstr("one whole ClientFrame per binary message")));
}

TEST(ProtoBinaryTest, AFrameIsItself) {
  v1::ClientFrame frame;
  ASSERT_FALSE(DecodeProtoBinary(Frame().SerializeAsString(), &frame));
  EXPECT_EQ(frame.SerializeAsString(), Frame().SerializeAsString());
}

TEST(ProtoBinaryTest, NothingIsAFrameThatIsNotSet) {
  v1::ClientFrame frame;
  ASSERT_FALSE(DecodeProtoBinary("", &frame));
  EXPECT_EQ(frame.frame_case(), v1::ClientFrame::FRAME_NOT_SET);
}

TEST(ProtoBinaryTest, AnUnknownFieldIsNoFault) {
  v1::ClientFrame frame;
  // Field 100, a varint.
  ASSERT_FALSE(DecodeProtoBinary(Frame().SerializeAsString() + "\xA0\x06\x01", &frame));
  EXPECT_EQ(frame.publish().body(), "hello");
}

TEST(ProtoBinaryTest, WhatIsNoFrameIsRefused) {
  ExpectRefused("\xFF\xFF\xFF");
  ExpectRefused("{\"ping\":{}}");
  const std::string whole = Frame().SerializeAsString();
  ExpectRefused(whole.substr(0, whole.size() - 1));
}

TEST(ProtoBinaryTest, AStringHasToBeUtf8) {
  std::string bytes = Frame().SerializeAsString();
  bytes[bytes.find("hello")] = '\xFF';
  ExpectRefused(bytes);
}

TEST(ProtoBinaryTest, DepthHasALimit) {
  std::string groups;
  for (int i = 0; i < 60'000; ++i) groups += "\xA3\x06";
  for (int i = 0; i < 60'000; ++i) groups += "\xA4\x06";
  ExpectRefused(groups);
}

}  // namespace
}  // namespace crier
