// One process with both transports on one engine.
#ifndef CRIER_TESTS_PARITY_PARITY_FIXTURE_H_
#define CRIER_TESTS_PARITY_PARITY_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/engine/engine.h"
#include "server/grpc/grpc_server.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "server/websocket/websocket_server.h"
#include "tests/parity/peer.h"

namespace crier::testing {

// Who sends by which transport, and who listens by which.
using TransportPair = std::pair<TransportKind, TransportKind>;
std::vector<TransportPair> AllPairs();
// "WebSocketToGrpc", ...
std::string NameOfPair(const ::testing::TestParamInfo<TransportPair>& pair);

class ParityTest : public ::testing::Test {
 protected:
  ParityTest() { engine_options_.shards = 2; }
  ~ParityTest() override { StopServer(); }

  EngineOptions engine_options_;  // before StartServer

  void StartServer();
  void StopServer();
  Engine& engine() { return *engine_; }

  std::unique_ptr<Peer> Connect(TransportKind kind, const std::string& user);
  // Runs on every shard, one after the other, and waits.
  void OnEveryShard(const std::function<void(Shard&)>& task);
  int64_t lagging(TransportKind kind) const;

 private:
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ConnectionTable> connections_;
  std::unique_ptr<WebSocketServer> websocket_;
  std::unique_ptr<GrpcServer> grpc_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_PARITY_PARITY_FIXTURE_H_
