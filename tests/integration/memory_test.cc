// What crierd takes of the machine's memory, as the system sees it, while clients do their worst.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>

#include "tests/support/crierd_process.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

using std::chrono::seconds;

// Resident memory, in MiB.
int64_t ResidentOf(const ChildProcess& process) {
  std::ifstream status("/proc/" + std::to_string(process.pid()) + "/status");
  std::string word;
  int64_t kilobytes = 0;
  while (status >> word) {
    if (word == "VmRSS:") status >> kilobytes;
  }
  return kilobytes / 1024;
}

class MemoryTest : public ::testing::Test {
 protected:
  // Sends, and waits until all of it was handled.
  static void Publish(WebSocketClient* client, int count, const std::string& body,
                      const std::function<std::string(int)>& topic_of) {
    for (int i = 0; i < count; ++i) {
      client->SendText(R"({"action_type":"broadcast","topic":")" + topic_of(i) + R"(","body":")" +
                       body + "\"}");
    }
    client->SendText(R"({"action_type":"direct","body":"through"})");
    ASSERT_THAT(client->ReadText(), ::testing::HasSubstr("through"));
  }
};

TEST_F(MemoryTest, StaysWithinItsBudgetWhateverTopicsClientsInvent) {
  CrierdProcess crierd({"--memory_budget=32MiB", "--shards=1"});
  ASSERT_TRUE(crierd.ready());
  WebSocketClient client(crierd.http(), WebSocketClient::Options{});
  Publish(&client, 200'000, "x", [](int i) { return "topic " + std::to_string(i); });
  EXPECT_LE(ResidentOf(crierd), 32 + 40);
}

TEST_F(MemoryTest, GoesBackToTheSystemWithinAMinute) {
  CrierdProcess crierd({"--topic_log_age=1s", "--shards=1"});
  ASSERT_TRUE(crierd.ready());
  WebSocketClient client(crierd.http(), WebSocketClient::Options{});
  Publish(&client, 4000, std::string(30'000, 'x'), [](int i) { return std::to_string(i % 200); });
  EXPECT_GE(ResidentOf(crierd), 60);
  EXPECT_TRUE(crierd.WaitUntil([&] { return ResidentOf(crierd) < 30; }, seconds(60)))
      << ResidentOf(crierd) << " MiB";
}

}  // namespace
}  // namespace crier::testing
