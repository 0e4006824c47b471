// The administrator's listener: one port that speaks gRPC, and HTTP for the unary calls.
#ifndef CRIER_SERVER_ADMIN_ADMIN_SERVER_H_
#define CRIER_SERVER_ADMIN_ADMIN_SERVER_H_

#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/admin/admin_options.h"
#include "server/admin/event_hub.h"
#include "server/admin/protocol_choice.h"
#include "server/engine/engine.h"
#include "server/grpc/grpc_server.h"
#include "server/net/acceptor.h"
#include "server/net/connection_table.h"
#include "server/service/unary_methods.h"
#include "server/transport/tls_context.h"
#include "server/websocket/websocket_server.h"

namespace crier {

// Runs on: any one thread that is not a shard's.
class AdminServer {
 public:
  // Both outlive this object. `tls`: null where there is none.
  AdminServer(Engine* engine, AdminOptions options, const TlsContext* tls = nullptr);
  // Stops first, if it was started.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Binds the addresses (see Acceptor::Listen). Call once.
  absl::Status Listen(std::string_view addresses);
  // The addresses with their real ports; empty before Listen.
  std::string addresses() const { return acceptor_.addresses(); }

  // Begins to accept, once every shard can serve. The status says which cannot and why. REQUIRES:
  // Listen succeeded and the engine was started.
  absl::Status Start();
  // Health, and what /readyz says; false at first. Thread-safe.
  void SetReady(bool ready);
  // Ends all connections. May be called twice. REQUIRES: the engine still runs.
  void Stop();

 private:
  struct Choosing {
    std::optional<ProtocolChoice> choice;
  };

  UnaryMethods Methods();
  void OnAccepted(AcceptedConnection accepted);
  void OnChosen(std::list<Choosing>::iterator choosing, SpokenProtocol spoken);

  Engine& engine_;
  const AdminOptions options_;
  const bool tls_;
  ConnectionTable table_;
  const UnaryMethods methods_;
  EventHub events_;
  WebSocketServer http_;
  GrpcServer grpc_;
  std::list<Choosing> choosing_;  // shard 0's thread
  Acceptor acceptor_;
  bool running_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_ADMIN_SERVER_H_
