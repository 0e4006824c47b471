// One process with both transports on one engine, or two nodes of a cluster, and clients of every
// dialect.
#ifndef CRIER_TESTS_PARITY_PARITY_FIXTURE_H_
#define CRIER_TESTS_PARITY_PARITY_FIXTURE_H_

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/engine/engine.h"
#include "server/grpc/grpc_server.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "server/websocket/websocket_server.h"
#include "tests/parity/peer.h"
#include "tests/support/redis_server.h"

namespace crier::testing {

inline constexpr std::array<Speech, 4> kEverySpeech = {Speech::kPlain, Speech::kJson,
                                                       Speech::kProto, Speech::kGrpc};

// How one speaks, and how the other listens.
using SpeechPair = std::pair<Speech, Speech>;
std::vector<SpeechPair> AllPairs();
// "PlainToGrpc", ...
std::string NameOfPair(const ::testing::TestParamInfo<SpeechPair>& pair);

// The same, and on how many nodes they are: one, or two, where each has its own.
using NodesPair = std::tuple<SpeechPair, size_t>;
// "PlainToGrpc", "PlainToGrpcOnTwoNodes", ...
std::string NameOfNodesPair(const ::testing::TestParamInfo<NodesPair>& pair);

class ParityTest : public ::testing::Test {
 protected:
  ParityTest() { engine_options_.shards = 2; }
  ~ParityTest() override { StopServer(); }

  // --- Before StartServer.
  EngineOptions engine_options_;
  WebSocketOptions websocket_options_;
  GrpcOptions grpc_options_;
  ConnectionTable::Limits connection_limits_;
  const Clock* clock_ = &Clock::Real();  // outlives the server
  size_t node_count_ = 1;                // more: a cluster, on a Redis of the test's own

  void StartServer();
  void StopServer();
  // Of the first node, as all below where nothing else is said.
  Engine& engine() { return *nodes_.front()->engine; }

  std::unique_ptr<Peer> Connect(Speech speech, const std::string& user, size_t node = 0) {
    return Connect(speech, Login{.user = user}, node);
  }
  std::unique_ptr<Peer> Connect(Speech speech, const Login& login, size_t node = 0);
  std::string http_address() const { return nodes_.front()->websocket->addresses(); }
  std::string grpc_address() const { return nodes_.front()->grpc->addresses(); }
  // Runs on every shard, one after the other, and waits.
  void OnEveryShard(const std::function<void(Shard&)>& task);
  // Until what shards had to tell each other is told. Of sessions on different shards, one that was
  // opened later may else be known first where its user is at home.
  void LetMailArrive() {
    for (int i = 0; i < 2; ++i) OnEveryShard([](Shard&) {});
  }
  // Sessions of the transport that it goes by.
  int64_t lagging(Speech speech) const;
  // What /metrics says, and one value of it: of "crier_topics", or of
  // "crier_sessions_ended_total{transport=\"grpc\",outcome=\"ok\"}". The test fails if it is not
  // there.
  std::string MetricsText() const { return nodes_.front()->metrics->Text(); }
  int64_t Metric(const std::string& name) const;
  // Waits until that is at least `least`. The test fails if it is not in time.
  void AwaitMetric(const std::string& name, int64_t least = 1) const;

 private:
  struct Node {
    std::unique_ptr<Metrics> metrics;
    std::unique_ptr<Engine> engine;
    UnaryMethods methods;
    std::unique_ptr<ConnectionTable> connections;
    std::unique_ptr<WebSocketServer> websocket;
    std::unique_ptr<GrpcServer> grpc;
  };

  void StartNode();
  static void OnEveryShardOf(Node& node, const std::function<void(Shard&)>& task);
  // As the server's own start does.
  static void AwaitCluster(Node& node);

  std::unique_ptr<RedisServer> redis_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_PARITY_PARITY_FIXTURE_H_
