// The gRPC side of the server: listens, accepts, serves crier.v1.Messaging, health and reflection.
//
// gRPC itself listens on nothing. An acceptor of our own takes the connections, because gRPC 1.51
// stops accepting for good once descriptors run out and has no cap on connections; it hands each
// socket over to gRPC.
#ifndef CRIER_SERVER_GRPC_GRPC_SERVER_H_
#define CRIER_SERVER_GRPC_GRPC_SERVER_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "server/engine/engine.h"
#include "server/grpc/options.h"
#include "server/net/acceptor.h"
#include "server/net/connection_table.h"
#include "server/net/handed_over_sockets.h"

namespace grpc {
class Server;
namespace experimental {
class ExternalConnectionAcceptor;
}
}  // namespace grpc

namespace crier {

class MessagingService;
class ShardStreams;

// Runs on: one thread that is no shard's and no gRPC thread; but for what says otherwise.
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

  // Binds the addresses (see Acceptor::Listen) and makes the gRPC server. Once.
  absl::Status Listen(std::string_view addresses);
  // With their real ports. After Listen.
  std::string addresses() const;

  // Begins to accept. Health stays NOT_SERVING until SetReady(true). REQUIRES: Listen succeeded and
  // the engine was started.
  void Start();

  // What grpc.health.v1.Health says of the server ("") and of crier.v1.Messaging. After Listen.
  // Thread-safe.
  void SetReady(bool ready);

  // Closes the listening sockets, and refuses new sessions on connections that exist (SHUTDOWN).
  // What is open stays open. Returns when it is done.
  void StopAccepting();

  // Ends all calls, those that are still open after `grace` by cancelling them, and closes all
  // connections. Returns when gRPC calls nothing of ours any more.
  void Stop(std::chrono::milliseconds grace = std::chrono::milliseconds(200));

 private:
  absl::Status BuildServer();
  // Runs on: the thread of shard 0.
  void HandOver(AcceptedConnection connection);
  // Runs `task` on shard 0 and waits for it.
  void RunOnShard0(absl::AnyInvocable<void()> task);

  Engine& engine_;
  const GrpcOptions options_;
  bool started_ = false;

  // Shared with the shards' tickers, which outlive this object.
  std::vector<std::shared_ptr<ShardStreams>> streams_;
  std::unique_ptr<MessagingService> service_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> hand_over_;
  std::unique_ptr<grpc::Server> server_;
  // Used and destroyed on the thread of shard 0 between Start and Stop.
  std::unique_ptr<HandedOverSockets> sockets_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_GRPC_SERVER_H_
