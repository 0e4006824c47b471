// The gRPC side of the server: listens, accepts, and serves crier.v1.Messaging, health and
// reflection over HTTP/2 without TLS.
#ifndef CRIER_SERVER_GRPC_GRPC_SERVER_H_
#define CRIER_SERVER_GRPC_GRPC_SERVER_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/engine/engine.h"
#include "server/grpc/grpc_connections.h"
#include "server/grpc/health_service.h"
#include "server/grpc/messaging_service.h"
#include "server/grpc/method_table.h"
#include "server/grpc/options.h"
#include "server/net/acceptor.h"
#include "server/net/connection_table.h"
#include "server/transport/set_per_shard.h"

namespace crier {

// Runs on: any one thread that is no shard's; but for what says otherwise.
//
// Order: Engine::Start, Listen, Start ... StopAccepting, Engine::Drain, Stop, Engine::Stop. Calls
// need live shards to end, so Stop comes before Engine::Stop.
class GrpcServer {
 public:
  // `engine` and `table` outlive this object.
  GrpcServer(Engine* engine, ConnectionTable* table, const GrpcOptions& options = {});
  // Stops first, where it was started.
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // Binds the addresses (see Acceptor::Listen). Once.
  absl::Status Listen(std::string_view addresses);
  // With their real ports. After Listen.
  std::string addresses() const { return acceptor_.addresses(); }

  // Begins to accept. Health stays NOT_SERVING until SetReady(true). REQUIRES: Listen succeeded and
  // the engine was started.
  void Start();

  // What grpc.health.v1.Health says of the server ("") and of crier.v1.Messaging. Thread-safe.
  void SetReady(bool ready);

  // Closes the listening sockets, and refuses new sessions on connections that exist (SHUTDOWN).
  // What is open stays open. Returns when it is done.
  void StopAccepting();

  // Ends all calls, those that are still open after `grace` by closing their connections. Returns
  // when no connection is left. REQUIRES: the engine still runs. Twice is no error.
  void Stop(std::chrono::milliseconds grace = std::chrono::milliseconds(200));

 private:
  void OnAccepted(AcceptedConnection accepted);

  Engine& engine_;
  const GrpcOptions options_;
  MessagingService messaging_;
  // Shared with what was posted to shards.
  std::shared_ptr<HealthService> health_;
  MethodTable methods_;
  SetPerShard<GrpcConnections> connections_;
  Acceptor acceptor_;
  bool running_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_GRPC_SERVER_H_
