// Frames as bytes.
#include "server/websocket/framing.h"

#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

std::string Header(std::initializer_list<int> bytes) {
  std::string header;
  for (const int byte : bytes) header += static_cast<char>(byte);
  return header;
}

std::string TextFrame(size_t length) {
  std::string frame;
  AppendFrame(FrameStart::kText, std::string(length, 'p'), &frame);
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
    CloseFrame(FrameStart::kText, at, &in_place);
    EXPECT_TRUE(in_place == "what was there before" + TextFrame(length)) << length;
  }
}

TEST(FramingTest, AFrameBeginsWithItsKind) {
  std::string frames;
  AppendFrame(FrameStart::kBinary, "abc", &frames);
  AppendFrame(FrameStart::kCompressedText, "d", &frames);
  AppendFrame(FrameStart::kCompressedBinary, "", &frames);
  EXPECT_EQ(frames, Header({0x82, 3}) + "abc" + Header({0xC1, 1}) + "d" + Header({0xC2, 0}));
}

}  // namespace
}  // namespace crier
