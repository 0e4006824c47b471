// The gRPC side of the server: listens, accepts, and serves crier.v1.Messaging, health and
// reflection over HTTP/2.
#ifndef CRIER_SERVER_GRPC_GRPC_SERVER_H_
#define CRIER_SERVER_GRPC_GRPC_SERVER_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "server/engine/engine.h"
#include "server/grpc/grpc_connections.h"
#include "server/grpc/health_service.h"
#include "server/grpc/messaging_service.h"
#include "server/grpc/method_table.h"
#include "server/grpc/options.h"
#include "server/net/acceptor.h"
#include "server/net/connection_table.h"
#include "server/service/unary_methods.h"
#include "server/transport/set_per_shard.h"

namespace crier {

// Runs on: any one thread that is not a shard's, unless a comment says otherwise.
//
// Order: Engine::Start, Listen, Start ... StopAccepting, Engine::Drain, Stop, Engine::Stop. Calls
// need live shards to end, so Stop comes before Engine::Stop.
class GrpcServer {
 public:
  // All outlive this object. `unary`: the unary methods that are served; none is added any more.
  // `tls`: null where there is none.
  GrpcServer(Engine* engine, const UnaryMethods* unary, ConnectionTable* table,
             const GrpcOptions& options = {}, const TlsContext* tls = nullptr);
  // Stops first, if it was started.
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // For a server with other streams besides. Before Start.
  MethodTable& methods() { return methods_; }

  // Binds the addresses (see Acceptor::Listen). Call once.
  absl::Status Listen(std::string_view addresses);
  // The addresses with their real ports. Call after Listen.
  std::string addresses() const { return acceptor_.addresses(); }

  // Begins to accept, once every shard can serve. The status says which shard cannot and why; then
  // nothing is accepted. Health stays NOT_SERVING until SetReady(true). REQUIRES: Listen has not
  // failed, and the engine was started.
  absl::Status Start();
  // Serves a connection that was accepted elsewhere. Runs on: shard 0's thread. REQUIRES: started,
  // and not stopped.
  void Take(AcceptedConnection accepted) { OnAccepted(std::move(accepted)); }

  // The health of the server ("") and of crier.v1.Messaging in grpc.health.v1.Health. Thread-safe.
  void SetReady(bool ready);

  // Closes the listening sockets, tells every connection that it will end (GOAWAY), so that clients
  // move, and refuses new sessions on existing connections (SHUTDOWN). Open sessions stay open.
  // Returns when it is done.
  void StopAccepting();

  // Ends all calls. If some are still open after `grace`, closes their connections. Returns when no
  // connection is left. May be called twice. REQUIRES: the engine still runs.
  void Stop(std::chrono::milliseconds grace = std::chrono::milliseconds(200));

 private:
  void OnAccepted(AcceptedConnection accepted);

  Engine& engine_;
  const GrpcOptions options_;
  MessagingService messaging_;
  // Shared with tasks that were posted to shards.
  std::shared_ptr<HealthService> health_;
  MethodTable methods_;
  SetPerShard<GrpcConnections> connections_;
  Acceptor acceptor_;
  bool running_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_GRPC_SERVER_H_
