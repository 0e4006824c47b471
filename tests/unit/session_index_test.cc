#include "server/engine/session_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace crier {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<uint64_t> Walk(const SessionIndex& index, uint64_t after = 0) {
  std::vector<uint64_t> ids;
  for (uint64_t id = index.Next(after); id != 0; id = index.Next(id)) ids.push_back(id);
  return ids;
}

TEST(SessionIndexTest, WalksInOrder) {
  SessionIndex index;
  EXPECT_THAT(Walk(index), IsEmpty());
  for (const uint64_t id : {1, 2, 63, 64, 65, 127, 128, 100'000}) index.Add(id);
  EXPECT_THAT(Walk(index), ElementsAre(1, 2, 63, 64, 65, 127, 128, 100'000));
  EXPECT_THAT(Walk(index, 63), ElementsAre(64, 65, 127, 128, 100'000));
  EXPECT_THAT(Walk(index, 66), ElementsAre(127, 128, 100'000));
  EXPECT_THAT(Walk(index, 100'000), IsEmpty());
}

TEST(SessionIndexTest, WhatGoesDoesNotDisturbAWalk) {
  SessionIndex index;
  for (uint64_t id = 1; id <= 200; ++id) index.Add(id);
  uint64_t at = 0;
  std::vector<uint64_t> seen;
  while ((at = index.Next(at)) != 0) {
    seen.push_back(at);
    // The one that the walk is at, and one ahead.
    index.Remove(at);
    index.Remove(at + 1);
  }
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_THAT(Walk(index), IsEmpty());
}

}  // namespace
}  // namespace crier
