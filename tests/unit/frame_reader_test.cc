// Clients' frames as bytes: which are read, and what becomes of the bytes of those that are not.
#include "server/websocket/frame_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace crier {
namespace {

constexpr size_t kMax = 70000;
constexpr uint8_t kMasked = 0x80;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string string;
  for (const int byte : bytes) string += static_cast<char>(byte);
  return string;
}

std::string Masked(std::string_view payload, std::string_view mask) {
  std::string masked(payload);
  for (size_t i = 0; i < masked.size(); ++i) masked[i] = static_cast<char>(masked[i] ^ mask[i % 4]);
  return masked;
}

// A frame as a client sends it.
std::string Frame(int first, std::string_view payload) {
  const std::string mask = Bytes({0x37, 0xFA, 0x21, 0x3D});
  std::string frame = Bytes({first});
  const auto size = static_cast<int>(payload.size());
  if (size < 126) {
    frame += Bytes({kMasked | size});
  } else if (size < 65536) {
    frame += Bytes({kMasked | 126, size >> 8, size & 0xFF});
  } else {
    frame += Bytes({kMasked | 127, 0, 0, 0, 0, 0, size >> 16, (size >> 8) & 0xFF, size & 0xFF});
  }
  return frame + mask + Masked(payload, mask);
}

ReceivedFrame Read(std::string* bytes, size_t max = kMax) {
  return ReadFrame({bytes->data(), bytes->size()}, max);
}
ReceivedKind KindOf(std::string bytes, size_t max = kMax) {
  const std::string before = bytes;
  const ReceivedKind kind = Read(&bytes, max).kind;
  if (kind == ReceivedKind::kUnusual || kind == ReceivedKind::kIncomplete) {
    EXPECT_EQ(bytes, before) << "what is not taken is left as it is";
  }
  return kind;
}

TEST(FrameReaderTest, TheExampleOfTheRfc) {
  // RFC 6455, section 5.7: a single-frame masked text message.
  std::string bytes =
      Bytes({0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58}) + "more";
  const ReceivedFrame frame = Read(&bytes);
  EXPECT_EQ(frame.kind, ReceivedKind::kText);
  EXPECT_EQ(frame.size, 11u);
  EXPECT_EQ(frame.payload, "Hello");
  EXPECT_TRUE(bytes.ends_with("more"));
}

TEST(FrameReaderTest, EveryLengthIsUnmaskedWhole) {
  for (const size_t length : {0, 1, 3, 4, 7, 8, 9, 31, 125, 126, 127, 1000, 65535, 65536, 70000}) {
    std::string payload(length, '\0');
    for (size_t i = 0; i < length; ++i) payload[i] = static_cast<char>(i * 7);
    std::string bytes = Frame(0x82, payload);
    const ReceivedFrame frame = Read(&bytes);
    EXPECT_EQ(frame.kind, ReceivedKind::kBinary) << length;
    EXPECT_EQ(frame.size, bytes.size());
    EXPECT_TRUE(frame.payload == payload) << length;
  }
}

TEST(FrameReaderTest, ControlFramesThatNeedNoJudgement) {
  std::string ping = Frame(0x89, "are you there");
  EXPECT_EQ(Read(&ping).payload, "are you there");
  EXPECT_EQ(KindOf(Frame(0x89, std::string(125, 'p'))), ReceivedKind::kPing);
  EXPECT_EQ(KindOf(Frame(0x8A, "")), ReceivedKind::kPong);
}

TEST(FrameReaderTest, WhatIsCutIsIncomplete) {
  for (const size_t length : {0, 5, 126, 300, 65536}) {
    const std::string frame = Frame(0x81, std::string(length, 'x'));
    for (size_t size = 0; size < frame.size(); size += size < 20 ? 1 : 997) {
      std::string part = frame.substr(0, size);
      const ReceivedFrame read = Read(&part);
      EXPECT_EQ(read.kind, ReceivedKind::kIncomplete) << length << " cut to " << size;
      EXPECT_TRUE(read.size == 0 || read.size == frame.size());
      if (size >= 14) {
        EXPECT_EQ(read.size, frame.size());
      }
      EXPECT_TRUE(part == frame.substr(0, size));
    }
  }
}

TEST(FrameReaderTest, WhatIsForBeast) {
  const std::string payload = "payload";
  // Fragments, close, reserved opcodes, reserved bits.
  for (const int first : {0x00, 0x01, 0x02, 0x80, 0x88, 0x09, 0x0A, 0x83, 0x8B, 0xC1, 0xA1, 0x91}) {
    EXPECT_EQ(KindOf(Frame(first, payload)), ReceivedKind::kUnusual) << first;
    EXPECT_EQ(KindOf(Bytes({first})), ReceivedKind::kUnusual) << first;
  }
  EXPECT_EQ(KindOf(Bytes({0x81, 0x03}) + "abc"), ReceivedKind::kUnusual) << "no mask";
  EXPECT_EQ(KindOf(Frame(0x89, std::string(126, 'p'))), ReceivedKind::kUnusual);
  EXPECT_EQ(KindOf(Frame(0x82, "12345"), 4), ReceivedKind::kUnusual) << "over the limit";
  EXPECT_EQ(KindOf(Frame(0x82, "12345"), 5), ReceivedKind::kBinary);
  // As soon as the length is known.
  EXPECT_EQ(KindOf(Frame(0x82, "12345").substr(0, 2), 4), ReceivedKind::kUnusual);
}

TEST(FrameReaderTest, ALengthHasOneForm) {
  const std::string mask(4, '\0');
  EXPECT_EQ(KindOf(Bytes({0x82, 0xFE, 0, 5}) + mask + "12345"), ReceivedKind::kUnusual);
  EXPECT_EQ(KindOf(Bytes({0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 5}) + mask + "12345"),
            ReceivedKind::kUnusual);
  EXPECT_EQ(KindOf(Bytes({0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0}) + mask, SIZE_MAX),
            ReceivedKind::kUnusual);
  EXPECT_EQ(KindOf(Bytes({0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})),
            ReceivedKind::kUnusual);
}

TEST(FrameReaderTest, TextIsUtf8) {
  EXPECT_EQ(KindOf(Frame(0x81, "gr\xC3\xBC\xC3\x9F dich, \xF0\x9F\x91\x8B")), ReceivedKind::kText);
  EXPECT_EQ(KindOf(Frame(0x81, "a long run of ASCII, and then \xFF")), ReceivedKind::kUnusual);
  EXPECT_EQ(KindOf(Frame(0x81, "cut \xC3")), ReceivedKind::kUnusual);
  EXPECT_EQ(KindOf(Frame(0x82, "\xFF")), ReceivedKind::kBinary);
  // Before the rest has come.
  const std::string wrong = Frame(0x81, "wrong \xFF and more");
  EXPECT_EQ(KindOf(wrong.substr(0, wrong.size() - 3)), ReceivedKind::kUnusual);
}

}  // namespace
}  // namespace crier
