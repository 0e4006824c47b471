// A server with its engine and its gRPC side, in the test's own process, on a port that the system
// chooses, with real threads and a real clock.
#ifndef CRIER_TESTS_SUPPORT_GRPC_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_GRPC_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/engine/engine.h"
#include "server/grpc/grpc_server.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "tests/support/grpc_client.h"

namespace crier::testing {

class GrpcTest : public ::testing::Test {
 protected:
  GrpcTest();
  // Stops the server, if the test has not.
  ~GrpcTest() override;

  // --- Before StartServer.
  EngineOptions engine_options_;
  GrpcOptions grpc_options_;
  ConnectionTable::Limits connection_limits_;

  void StartServer();
  void StopServer();

  GrpcServer& server() { return *server_; }
  Engine& engine() { return *engine_; }

  // A client on a connection of its own; lives as long as the test.
  GrpcClient& NewClient(const grpc::ChannelArguments& arguments = {});

  // Sessions on connections of their own, that have had their welcome. `user`: empty: none.
  std::unique_ptr<GrpcStream> ConnectAs(const std::string& user);
  std::unique_ptr<GrpcStream> Connect() { return ConnectAs(""); }
  // The same, following a topic.
  std::unique_ptr<GrpcStream> ConnectAndFollow(const std::string& topic,
                                               const std::string& user = "");
  std::unique_ptr<GrpcStream> Listen(const v1::SubscribeRequest& request);

  // Waits until this holds; the test fails where it does not within kPatience.
  void Eventually(const std::string& what, const std::function<bool()>& condition);

  // What the metrics say, over all shards.
  int64_t sessions() const;
  int64_t lagging() const;
  int64_t log_bytes() const;
  uint64_t ended(Outcome outcome) const;
  size_t open_connections() const { return table_->size(); }

 private:
  int64_t Sum(const std::function<int64_t(const ShardMetrics&)>& value) const;

  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ConnectionTable> table_;
  std::unique_ptr<GrpcServer> server_;
  std::vector<std::unique_ptr<GrpcClient>> clients_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_GRPC_FIXTURE_H_
