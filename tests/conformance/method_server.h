// A server of server/'s own parts with other methods than crier's: what other people's suites ask
// for, by gRPC or by HTTP. One shard, real sockets.
#ifndef CRIER_TESTS_CONFORMANCE_METHOD_SERVER_H_
#define CRIER_TESTS_CONFORMANCE_METHOD_SERVER_H_

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "server/engine/engine.h"
#include "server/grpc/call.h"
#include "server/grpc/grpc_server.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "server/service/unary_methods.h"
#include "server/websocket/websocket_server.h"

namespace crier::testing {

// Runs on: one thread that is not a shard's.
class MethodServer {
 public:
  struct Options {
    GrpcOptions grpc = {};
    WebSocketOptions http = {};
  };
  explicit MethodServer(const Options& options, UnaryMethods unary = {});
  ~MethodServer();
  MethodServer(const MethodServer&) = delete;
  MethodServer& operator=(const MethodServer&) = delete;

  // The streams. Before Start.
  MethodTable& methods() { return server_.methods(); }
  // Listens on a port of 127.0.0.1 and serves gRPC there; 0: the system chooses it. Once, or
  // StartHttp.
  absl::Status Start(int port);
  // The same with HTTP/1.1, for the unary methods.
  absl::Status StartHttp(int port);
  int port() const;

 private:
  EngineOptions engine_options_;
  Metrics metrics_;
  Engine engine_;
  const UnaryMethods unary_;
  ConnectionTable table_;
  GrpcServer server_;
  WebSocketServer http_;
};

// Runs `action` on the call's shard after this time, unless the call has its status then.
void After(Call* call, std::chrono::milliseconds delay, std::function<void()> action);

// For the end of a program that a suite starts and stops. HoldSignals comes before any thread.
void HoldSignals();
// Returns on SIGTERM or SIGINT.
void WaitForSignal();

}  // namespace crier::testing

#endif  // CRIER_TESTS_CONFORMANCE_METHOD_SERVER_H_
