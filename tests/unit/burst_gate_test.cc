#include "server/grpc/burst_gate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace crier {
namespace {

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(BurstGateTest, IsOpenUntilItIsClosed) {
  BurstGate gate;
  gate.Pass();
  gate.Open();
  gate.Pass();
}

TEST(BurstGateTest, WhoComesWhileItIsClosedWaits) {
  BurstGate gate;
  std::vector<std::string> order;
  gate.Close();
  gate.Close();  // each write of a burst closes it
  std::thread other([&] {
    gate.Pass();
    order.push_back("passed");
  });
  EXPECT_TRUE(Eventually([&] { return gate.waited_for(); }));
  order.push_back("opened");
  gate.Open();
  other.join();
  EXPECT_EQ(order, (std::vector<std::string>{"opened", "passed"}));
  EXPECT_FALSE(gate.waited_for());
}

TEST(BurstGateTest, OneBurstAfterTheOtherKeepsNobodyForEver) {
  BurstGate gate;
  std::atomic<bool> passed = false;
  gate.Close();
  std::thread other([&] {
    gate.Pass();
    passed = true;
  });
  EXPECT_TRUE(Eventually([&] { return gate.waited_for(); }));
  gate.Open();
  gate.Close();  // stays open: somebody waits
  EXPECT_TRUE(Eventually([&] { return passed.load(); }));
  gate.Open();
  other.join();
}

}  // namespace
}  // namespace crier
