#include "server/base/start_pages.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>

namespace crier {
namespace {

// Of this process, in KiB.
int64_t ResidentOfFiles() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t size = 0;
    if (word == "RssFile:" && status >> size) return size;
  }
  return -1;
}

// Pointers, which the linker has to fill in when it loads the program.
constexpr std::string_view kNames[] = {"one", "two", "three"};
int Seven() { return 7; }
int (*const kCalls[])() = {&Seven};

TEST(StartPagesTest, CodeAndConstantsComeBackWhenTheyAreNeeded) {
  const int64_t before = ResidentOfFiles();
  ASSERT_GT(before, 0);
  ReturnStartPages();
  EXPECT_LT(ResidentOfFiles(), before);
  std::string names;
  for (const std::string_view name : kNames) names += name;
  EXPECT_EQ(names, "onetwothree");
  EXPECT_EQ(kCalls[0](), 7);
  // As often as one likes.
  ReturnStartPages();
  EXPECT_EQ(std::stoi("42"), 42);
}

}  // namespace
}  // namespace crier
