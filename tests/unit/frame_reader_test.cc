// Clients' frames as bytes: what they are read as, and what is kept meanwhile. The whole protocol
// is tested over sockets (tests/integration/websocket_conformance_*).
#include "server/websocket/frame_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/message_deflate.h"
#include "tests/support/websocket_frames.h"

namespace crier {
namespace {

using ::testing::ElementsAre;
using testing::MaskedFrame;
using testing::MessageDeflate;

constexpr size_t kMax = 70'000;
constexpr int kText = 0x81, kBinary = 0x82, kPing = 0x89, kClose = 0x88;
constexpr int kFirstOfText = 0x01, kContinuation = 0x80, kDeflatedText = 0xC1;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string string;
  for (const int byte : bytes) string += static_cast<char>(byte);
  return string;
}

class FrameReaderTest : public ::testing::Test {
 protected:
  // What is returned for these bytes, in words. They are in the heap, and no longer than they are,
  // so that a sanitizer sees who reads past their end.
  std::vector<std::string> Read(std::string_view bytes) {
    std::vector<char> heap(bytes.begin(), bytes.end());
    std::span<char> rest(heap);
    std::vector<std::string> all;
    while (true) {
      const Received received = reader_.Read(&rest);
      const std::string payload(received.payload);
      switch (received.kind) {
        case ReceivedKind::kNothing:
          EXPECT_TRUE(rest.empty());
          return all;
        case ReceivedKind::kText:
          all.push_back("text " + payload);
          break;
        case ReceivedKind::kBinary:
          all.push_back("binary " + payload);
          break;
        case ReceivedKind::kPing:
          all.push_back("ping " + payload);
          break;
        case ReceivedKind::kPong:
          all.push_back("pong " + payload);
          break;
        case ReceivedKind::kClose:
          all.push_back("close " + payload);
          break;
        case ReceivedKind::kError:
          EXPECT_NE(received.problem, "");
          all.push_back("error " + std::to_string(received.close_code));
          return all;
      }
    }
  }
  int64_t counted() const { return metrics_.memory[size_t(MemoryKind::kInput)].value(); }

  MemoryBudget budget_{1 << 20};
  ShardMetrics metrics_;
  MemoryMeter memory_{&budget_, &metrics_};
  FrameReaderShared shared_{.memory = &memory_};
  FrameReader reader_{&shared_, {.max_message_bytes = kMax, .deflate = true}};
};

TEST_F(FrameReaderTest, TheExamplesOfTheRfc) {
  // RFC 6455, section 5.7.
  EXPECT_THAT(
      Read(Bytes({0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,  // "Hello"
                  0x89, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58})),
      ElementsAre("text Hello", "ping Hello"));
}

TEST_F(FrameReaderTest, AMessageInOnePieceIsUnmaskedWhereItLies) {
  std::string bytes = MaskedFrame(kText, "where it lies") + "more";
  std::span<char> rest(bytes);
  const Received received = reader_.Read(&rest);
  EXPECT_EQ(received.payload.data(), bytes.data() + 6);
  EXPECT_EQ(std::string(rest.begin(), rest.end()), "more");
  EXPECT_EQ(counted(), 0);
}

TEST_F(FrameReaderTest, WhatIsCutIsKeptAndCountedUntilTheRestHasCome) {
  const std::string frame = MaskedFrame(kBinary, std::string(60'000, 'b'));
  EXPECT_THAT(Read(frame.substr(0, 20'000)), ElementsAre());
  EXPECT_GE(counted(), 20'000);
  EXPECT_THAT(Read(frame.substr(20'000)), ElementsAre("binary " + std::string(60'000, 'b')));
  EXPECT_EQ(counted(), 0) << "an idle reader keeps nothing";
  EXPECT_THAT(Read(frame.substr(0, 3)), ElementsAre());
  EXPECT_GT(counted(), 0);
  EXPECT_LT(counted(), 1000) << "not what is announced, but what has come";
}

TEST_F(FrameReaderTest, InflatedBytesAreCountedToo) {
  MessageDeflate deflate;
  const std::string message(60'000, 'm');
  const std::string frame = MaskedFrame(kDeflatedText, deflate.Deflated(message));
  ASSERT_LT(frame.size(), 1000u);
  EXPECT_THAT(Read(frame.substr(0, frame.size() - 1)), ElementsAre());
  EXPECT_GE(counted(), 50'000 + static_cast<int64_t>(Inflater::kBytes));
  EXPECT_THAT(Read(frame.substr(frame.size() - 1)), ElementsAre("text " + message));
  EXPECT_EQ(counted(), 0);
}

TEST_F(FrameReaderTest, WithoutMemoryALongMessageIsGivenUp) {
  memory_.Add(MemoryKind::kLogs, 2 << 20);
  EXPECT_THAT(Read(MaskedFrame(kText, "whole ones are read")),
              ElementsAre("text whole ones are read"));
  const std::string short_one = MaskedFrame(kText, std::string(1000, 's'));
  EXPECT_THAT(Read(short_one.substr(0, 500)), ElementsAre());
  EXPECT_THAT(Read(short_one.substr(500)), ElementsAre("text " + std::string(1000, 's')));
  EXPECT_THAT(Read(MaskedFrame(kText, std::string(60'000, 'l')).substr(0, 50'000)),
              ElementsAre("error 1013"));
  memory_.Add(MemoryKind::kLogs, -(2 << 20));
}

TEST_F(FrameReaderTest, TheLimitIsOnTheWholeMessage) {
  const std::string half(kMax / 2, 'h');
  EXPECT_THAT(Read(MaskedFrame(kFirstOfText, half) + MaskedFrame(kContinuation, half)),
              ElementsAre("text " + half + half));
  EXPECT_THAT(Read(MaskedFrame(kFirstOfText, half) + MaskedFrame(kContinuation, half + "x")),
              ElementsAre("error 1009"));
}

TEST_F(FrameReaderTest, OfAMessageThatIsSkippedOnlyTheFramingCounts) {
  EXPECT_THAT(Read(MaskedFrame(kFirstOfText, std::string(30'000, 'x'))), ElementsAre());
  reader_.SkipMessages();
  EXPECT_LT(counted(), 1000);
  MessageDeflate deflate;
  EXPECT_THAT(Read(MaskedFrame(kPing, "p") + MaskedFrame(kContinuation, "\xFF") +
                   MaskedFrame(kText, std::string(2 * kMax, 'x')) +
                   MaskedFrame(kDeflatedText, "\xFF") + MaskedFrame(kClose, "")),
              ElementsAre("ping p", "close "));
  EXPECT_EQ(counted(), 0);
  EXPECT_THAT(Read(MaskedFrame(kContinuation, "of nothing")), ElementsAre("error 1002"));
}

}  // namespace
}  // namespace crier
