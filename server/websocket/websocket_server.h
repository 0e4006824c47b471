// Listens for HTTP and WebSocket, and spreads the connections over the shards.
#ifndef CRIER_SERVER_WEBSOCKET_WEBSOCKET_SERVER_H_
#define CRIER_SERVER_WEBSOCKET_WEBSOCKET_SERVER_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "server/engine/engine.h"
#include "server/net/acceptor.h"
#include "server/net/connection_table.h"
#include "server/service/unary_methods.h"
#include "server/transport/set_per_shard.h"
#include "server/websocket/metrics_thread.h"
#include "server/websocket/options.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/websocket_context.h"

namespace crier {

// Runs on: any one thread that is not a shard's, except SetReady and StopSessions, which are
// thread-safe.
class WebSocketServer {
 public:
  // All have to outlive the server. `methods`: what may be called by HTTP; none is added any more.
  // `tls`: null where there is none.
  WebSocketServer(Engine* engine, const UnaryMethods* methods, ConnectionTable* table,
                  WebSocketOptions options, const TlsContext* tls = nullptr);
  // Stops first, if it was started.
  ~WebSocketServer();
  WebSocketServer(const WebSocketServer&) = delete;
  WebSocketServer& operator=(const WebSocketServer&) = delete;

  // Binds a comma-separated list of addresses. An error names the address and the reason.
  absl::Status Listen(std::string_view addresses);
  // The addresses with their real ports, comma-separated. Call after Listen.
  std::string addresses() const { return acceptor_.addresses(); }

  // Begins to accept, once every shard can serve. The status says which shard cannot and why; then
  // nothing is accepted. REQUIRES: the engine was started.
  absl::Status Start();
  // Serves a connection that was accepted elsewhere, by the server's own acceptor's rules. Runs on:
  // shard 0's thread. REQUIRES: started, and not stopped.
  void Take(AcceptedConnection accepted) { OnAccepted(std::move(accepted)); }
  // Of those: only this machine can make them (HostRules). False at first. Before Start.
  void set_loopback_only(bool loopback_only) { context_.loopback_only = loopback_only; }
  // What /readyz says; false at first.
  void SetReady(bool ready) { context_.ready.store(ready, std::memory_order_relaxed); }
  // Takes no new session any more (HTTP 503). Other requests are answered until Stop, so that
  // whoever asks /readyz is told.
  void StopSessions() { context_.accepting.store(false, std::memory_order_relaxed); }
  // Closes every connection: politely for a moment, then hard. Returns when none is left. May be
  // called twice. REQUIRES: the engine still runs.
  void Stop();

 private:
  void OnAccepted(AcceptedConnection accepted);
  void StopAccepting();

  Engine* const engine_;
  WebSocketContext context_;
  // Before the connections that ask it.
  std::unique_ptr<MetricsThread> metrics_;
  SetPerShard<ShardConnections> shards_;
  Acceptor acceptor_;
  bool running_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_WEBSOCKET_SERVER_H_
