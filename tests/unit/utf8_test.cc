#include "server/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

// RFC 3629, section 3: written from its table of ranges, another way than the code.
std::string Encoded(uint32_t point) {
  const auto low = [point](int shift) {
    return static_cast<char>(0x80 | ((point >> shift) & 0x3F));
  };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xC0 | point >> 6), low(0)};
  if (point < 0x10000) return {static_cast<char>(0xE0 | point >> 12), low(6), low(0)};
  return {static_cast<char>(0xF0 | point >> 18), low(12), low(6), low(0)};
}

TEST(Utf8Test, EveryCodePointAndEachOfItsBeginnings) {
  for (uint32_t point = 0; point < 0x120000; ++point) {
    const std::string text = Encoded(point);
    const bool valid = point < 0xD800 || (point > 0xDFFF && point < 0x110000);
    ASSERT_EQ(FirstInvalidUtf8(text) == text.size(), valid) << point;
    ASSERT_FALSE(IsCutUtf8(text)) << point;
    if (!valid) continue;
    for (size_t size = 1; size < text.size(); ++size) {
      ASSERT_TRUE(IsCutUtf8(text.substr(0, size))) << point;
      ASSERT_EQ(FirstInvalidUtf8(text.substr(0, size)), 0u) << point;
    }
  }
}

TEST(Utf8Test, WhatCannotBecomeACharacterIsNotCut) {
  for (const std::string bad : {"\x80", "\xC0", "\xC1", "\xF5", "\xFF", "\xE0\x80", "\xED\xA0",
                                "\xF0\x80", "\xF4\x90", "\xE1 ", "\xF1\x80 ", "a", ""}) {
    EXPECT_FALSE(IsCutUtf8(bad)) << ::testing::PrintToString(bad);
  }
}

}  // namespace
}  // namespace crier
