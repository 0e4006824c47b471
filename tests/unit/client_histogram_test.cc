#include <gtest/gtest.h>

#include "client/bench/histogram.h"

namespace crier::bench {
namespace {

TEST(HistogramTest, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.Percentile(0.5), 0u);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Percentile(0.50), 50u);
  EXPECT_EQ(histogram.Percentile(0.99), 99u);
  EXPECT_EQ(histogram.Percentile(1.0), 100u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(HistogramTest, AnyValueIsKnownToWithinItsHundredAndTwentyEighth) {
  for (uint64_t value = 1; value < (uint64_t{1} << 39); value = value * 5 / 4 + 1) {
    Histogram histogram;
    histogram.Add(value);
    histogram.Add(value * 2);  // So that the maximum does not tell.
    const uint64_t shown = histogram.Percentile(0.5);
    EXPECT_GE(shown, value);
    EXPECT_LE(shown, value + value / 128) << value;
  }
}

TEST(HistogramTest, PercentilesNeverFlatterNorPassTheMaximum) {
  Histogram histogram;
  for (int i = 0; i < 999; ++i) histogram.Add(1'000'000);
  histogram.Add(123'456'789);
  EXPECT_GE(histogram.Percentile(0.999), 1'000'000u);
  EXPECT_LE(histogram.Percentile(0.999), 1'007'813u);
  EXPECT_EQ(histogram.Percentile(1.0), 123'456'789u);
  EXPECT_EQ(histogram.max(), 123'456'789u);
}

TEST(HistogramTest, WhatIsTooLongCountsInTheLastBucket) {
  Histogram histogram;
  histogram.Add(UINT64_MAX / 4);
  EXPECT_EQ(histogram.count(), 1u);
  EXPECT_GE(histogram.Percentile(0.5), (uint64_t{1} << 40) - 1);
}

TEST(HistogramTest, MergeIsTheSumAndClearIsNothing) {
  Histogram a;
  Histogram b;
  a.Add(10);
  b.Add(20);
  b.Add(30);
  a.Merge(b);
  EXPECT_EQ(a.count(), 3u);
  EXPECT_EQ(a.Percentile(0.5), 20u);
  EXPECT_EQ(a.max(), 30u);
  a.Clear();
  EXPECT_EQ(a.count(), 0u);
  EXPECT_EQ(a.max(), 0u);
}

}  // namespace
}  // namespace crier::bench
