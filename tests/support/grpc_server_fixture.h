// A server with its engine and its gRPC side, in the test's own process, on a port that the system
// chooses, with real threads and a real clock. Needs no gRPC library, which ThreadSanitizer cannot
// look into.
#ifndef CRIER_TESTS_SUPPORT_GRPC_SERVER_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_GRPC_SERVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "server/engine/engine.h"
#include "server/grpc/grpc_server.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"

namespace crier::testing {

class GrpcServerTest : public ::testing::Test {
 protected:
  // How long anything may take before a test fails.
  static constexpr std::chrono::seconds kPatience{10};

  GrpcServerTest();
  // Stops the server, if the test has not.
  ~GrpcServerTest() override;

  // --- Before StartServer.
  EngineOptions engine_options_;
  GrpcOptions grpc_options_;
  ConnectionTable::Limits connection_limits_;
  const Clock* clock_ = &Clock::Real();  // outlives the server

  void StartServer();
  void StopServer();
  // Called by StartServer, before the server is made, with the methods that it will have.
  virtual void AddMethods(UnaryMethods* /*methods*/) {}
  // Called by StartServer, before the server starts.
  virtual void Prepare(GrpcServer* /*server*/) {}

  GrpcServer& server() { return *server_; }
  Engine& engine() { return *engine_; }

  // Waits until this is true. The test fails if it is not within kPatience.
  void Eventually(const std::string& what, const std::function<bool()>& condition);

  // What the metrics say, over all shards.
  int64_t sessions() const;
  int64_t lagging() const;
  int64_t log_bytes() const;
  int64_t received_directs() const;
  uint64_t ended(Outcome outcome) const;
  uint64_t violations(GrpcViolation violation) const;
  int64_t memory(MemoryKind kind) const;
  int64_t timed_out() const;
  uint64_t refused_connections() const;
  uint64_t handled(GrpcMethod method, int code) const;
  size_t open_connections() const { return table_->size(); }

 private:
  int64_t Sum(const std::function<int64_t(const ShardMetrics&)>& value) const;

  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<UnaryMethods> methods_;
  std::unique_ptr<ConnectionTable> table_;
  std::unique_ptr<GrpcServer> server_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_GRPC_SERVER_FIXTURE_H_
