#include <gtest/gtest.h>

#include "client/bench/ledger.h"

namespace crier::bench {
namespace {

class LedgerTest : public testing::Test {
 protected:
  void Receive(uint64_t offset, uint64_t epoch = 1) { ledger_.Receive(epoch, offset, &totals_); }
  void Gap(uint64_t first, uint64_t last) { ledger_.Gap(1, first, last, &totals_); }

  Ledger ledger_;
  LedgerTotals totals_;
};

TEST_F(LedgerTest, ARunWithoutHolesIsClean) {
  for (uint64_t offset = 17; offset < 117; ++offset) Receive(offset);
  ledger_.Finish(116, &totals_);
  EXPECT_EQ(totals_.received, 100u);
  EXPECT_TRUE(totals_.clean());
}

TEST_F(LedgerTest, AHoleIsLost) {
  Receive(1);
  Receive(5);
  EXPECT_EQ(totals_.lost, 3u);
  EXPECT_FALSE(totals_.clean());
}

TEST_F(LedgerTest, WhatIsMissingAtTheEndIsLost) {
  Receive(1);
  ledger_.Finish(4, &totals_);
  EXPECT_EQ(totals_.lost, 3u);
}

TEST_F(LedgerTest, WhatAGapNamesIsSkippedAndNotLost) {
  Receive(1);
  Gap(2, 9);
  Receive(10);
  EXPECT_EQ(totals_.skipped, 8u);
  EXPECT_EQ(totals_.gaps, 1u);
  EXPECT_TRUE(totals_.clean());
}

TEST_F(LedgerTest, AGapThatNamesTooLittleLeavesALoss) {
  Receive(1);
  Gap(3, 9);
  EXPECT_EQ(totals_.lost, 1u);
  EXPECT_EQ(totals_.skipped, 7u);
}

TEST_F(LedgerTest, AGapThatNamesWhatCameIsWrong) {
  Receive(1);
  Receive(2);
  Gap(2, 5);
  EXPECT_EQ(totals_.wrong_gaps, 1u);
}

TEST_F(LedgerTest, TheSameAgainIsADuplicate) {
  Receive(1);
  Receive(2);
  Receive(2);
  Receive(1);
  EXPECT_EQ(totals_.received, 2u);
  EXPECT_EQ(totals_.duplicate, 2u);
}

TEST_F(LedgerTest, ALateOneIsOutOfOrderAndNotLost) {
  Receive(1);
  Receive(5);
  Receive(3);
  EXPECT_EQ(totals_.out_of_order, 1u);
  EXPECT_EQ(totals_.lost, 2u);
  Receive(3);
  EXPECT_EQ(totals_.duplicate, 1u);
  Receive(2);
  Receive(4);
  EXPECT_EQ(totals_.lost, 0u);
  EXPECT_EQ(totals_.received, 5u);
  EXPECT_EQ(totals_.out_of_order, 3u);
}

TEST_F(LedgerTest, ANewEpochStartsAnewAndIsSaid) {
  Receive(8);
  Receive(1, 2);
  Receive(2, 2);
  EXPECT_EQ(totals_.new_epochs, 1u);
  EXPECT_EQ(totals_.lost, 0u);
  EXPECT_FALSE(totals_.clean());
}

}  // namespace
}  // namespace crier::bench
