#include "server/base/log_limit.h"

#include <gtest/gtest.h>

#include <optional>

namespace crier {
namespace {

using std::chrono::milliseconds;

TEST(LogLimitTest, OneLineASecondIsWrittenAndTheOthersAreCounted) {
  LogLimit limit;
  const TimePoint begin{std::chrono::hours(1)};
  EXPECT_EQ(limit.Admit(begin), 0u);
  EXPECT_EQ(limit.Admit(begin), std::nullopt);
  EXPECT_EQ(limit.Admit(begin + milliseconds(999)), std::nullopt);
  EXPECT_EQ(limit.Admit(begin + milliseconds(1000)), 2u);
  EXPECT_EQ(limit.Admit(begin + milliseconds(1500)), std::nullopt);
  EXPECT_EQ(limit.Admit(begin + milliseconds(9000)), 1u);
  EXPECT_EQ(limit.Admit(begin + milliseconds(10'000)), 0u);
}

}  // namespace
}  // namespace crier
