// One process with both transports on one engine, and clients of every dialect.
#ifndef CRIER_TESTS_PARITY_PARITY_FIXTURE_H_
#define CRIER_TESTS_PARITY_PARITY_FIXTURE_H_

#include <gtest/gtest.h>

#include <array>
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

inline constexpr std::array<Speech, 4> kEverySpeech = {Speech::kPlain, Speech::kJson,
                                                       Speech::kProto, Speech::kGrpc};

// How one speaks, and how the other listens.
using SpeechPair = std::pair<Speech, Speech>;
std::vector<SpeechPair> AllPairs();
// "PlainToGrpc", ...
std::string NameOfPair(const ::testing::TestParamInfo<SpeechPair>& pair);

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

  void StartServer();
  void StopServer();
  Engine& engine() { return *engine_; }

  std::unique_ptr<Peer> Connect(Speech speech, const std::string& user) {
    return Connect(speech, Login{.user = user});
  }
  std::unique_ptr<Peer> Connect(Speech speech, const Login& login);
  std::string http_address() const { return websocket_->addresses(); }
  std::string grpc_address() const { return grpc_->addresses(); }
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
  std::string MetricsText() const { return metrics_->Text(); }
  int64_t Metric(const std::string& name) const;
  // Waits until that is at least `least`. The test fails if it is not in time.
  void AwaitMetric(const std::string& name, int64_t least = 1) const;

 private:
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Engine> engine_;
  UnaryMethods methods_;
  std::unique_ptr<ConnectionTable> connections_;
  std::unique_ptr<WebSocketServer> websocket_;
  std::unique_ptr<GrpcServer> grpc_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_PARITY_PARITY_FIXTURE_H_
