// A flood of connections at a small descriptor limit ends in refusals, and not in a server that
// accepts no more: what gRPC 1.51 by itself does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/crierd_process.h"
#include "tests/support/grpc_client.h"
#include "tests/support/loopback.h"

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr rlim_t kDescriptors = 64;
constexpr size_t kFlood = 150;

class DescriptorsTest : public ::testing::Test {
 protected:
  static std::vector<UniqueFd> Flood(const std::string& address) {
    std::vector<UniqueFd> clients;
    for (size_t i = 0; i < kFlood; ++i) {
      clients.push_back(ConnectTo(address));
      EXPECT_TRUE(clients.back().valid());
    }
    return clients;
  }

  // How many of them the server closes. Those that it cannot serve have to be among them, and not
  // be left waiting: there are at least so many, whichever the server kept.
  static size_t CountRefused(const std::vector<UniqueFd>& clients, size_t expected) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(5);
    std::vector<bool> closed(clients.size());
    size_t refused = 0;
    while (refused < expected && std::chrono::steady_clock::now() < deadline) {
      for (size_t i = 0; i < clients.size(); ++i) {
        if (closed[i] || !WaitForClose(clients[i].get(), milliseconds(1))) continue;
        closed[i] = true;
        ++refused;
      }
    }
    return refused;
  }

  // How many descriptors the server has open.
  size_t CountOpen() const {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(crierd_.pid()) + "/fd");
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

  // Asks until the answer holds `wanted`, or until patience is over: the places of closed
  // connections come back when the server has seen them close.
  template <typename Ask>
  static std::string AskUntil(const std::string& wanted, Ask ask) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    std::string answer;
    do {
      answer = ask();
    } while (answer.find(wanted) == std::string::npos &&
             std::chrono::steady_clock::now() < deadline);
    return answer;
  }

  void ExpectBothServed() {
    EXPECT_THAT(AskUntil("200", [this] { return HttpGet(crierd_.http(), "/healthcheck"); }),
                StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(AskUntil("SERVING", [this] { return GrpcClient(crierd_.grpc()).Health(); }),
              "SERVING");
  }

  // Timeouts are far away: nothing but the flood's own end makes room again.
  CrierdProcess crierd_{{.arguments = {"--handshake_timeout=10m", "--shards=2"},
                         .environment = {},
                         .descriptors = kDescriptors}};
};

TEST_F(DescriptorsTest, BothPortsServeAfterAFloodOfBoth) {
  ASSERT_TRUE(crierd_.ready());
  ExpectBothServed();
  {
    const std::vector<UniqueFd> http = Flood(crierd_.http());
    const std::vector<UniqueFd> grpc = Flood(crierd_.grpc());
    EXPECT_GE(CountRefused(http, kFlood - kDescriptors), kFlood - kDescriptors);
    // The places are taken by the first flood.
    EXPECT_GE(CountRefused(grpc, kFlood - kDescriptors), kFlood - kDescriptors);
    // The cap leaves some to the server itself, so that it can still open a file.
    EXPECT_LE(CountOpen(), kDescriptors - 4);
  }
  ExpectBothServed();
  EXPECT_THAT(HttpGet(crierd_.http(), "/metrics"),
              HasSubstr("crier_connections_refused_total{reason=\"total\"}"));
}

TEST_F(DescriptorsTest, BothPortsServeAfterAFloodOfGrpcAlone) {
  ASSERT_TRUE(crierd_.ready());
  {
    const std::vector<UniqueFd> grpc = Flood(crierd_.grpc());
    EXPECT_GE(CountRefused(grpc, kFlood - kDescriptors), kFlood - kDescriptors);
  }
  ExpectBothServed();
}

TEST_F(DescriptorsTest, OneFloodAfterAnotherLeavesNothingBehind) {
  ASSERT_TRUE(crierd_.ready());
  for (int round = 0; round < 5; ++round) {
    const std::vector<UniqueFd> http = Flood(crierd_.http());
    const std::vector<UniqueFd> grpc = Flood(crierd_.grpc());
  }
  ExpectBothServed();
}

TEST_F(DescriptorsTest, AClientOverTheCapIsToldToComeBack) {
  ASSERT_TRUE(crierd_.ready());
  const std::vector<UniqueFd> clients = Flood(crierd_.http());
  const UniqueFd last = ConnectTo(crierd_.http());
  EXPECT_THAT(ReadUntil(last.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 503"));
}

}  // namespace
}  // namespace crier::testing
