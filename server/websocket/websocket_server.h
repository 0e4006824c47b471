// Listens for HTTP and WebSocket, and spreads what comes over the shards.
#ifndef CRIER_SERVER_WEBSOCKET_WEBSOCKET_SERVER_H_
#define CRIER_SERVER_WEBSOCKET_WEBSOCKET_SERVER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/engine/engine.h"
#include "server/net/acceptor.h"
#include "server/net/connection_table.h"
#include "server/transport/set_per_shard.h"
#include "server/websocket/options.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/websocket_context.h"

namespace crier {

// Runs on: any one thread that is no shard's, all of it but SetReady, which is thread-safe.
class WebSocketServer {
 public:
  // `engine` and `table` outlive the server.
  WebSocketServer(Engine* engine, ConnectionTable* table, WebSocketOptions options);
  // Stops first, where it was started.
  ~WebSocketServer();
  WebSocketServer(const WebSocketServer&) = delete;
  WebSocketServer& operator=(const WebSocketServer&) = delete;

  // Binds a comma-separated list of addresses. The status names the address and the reason.
  absl::Status Listen(std::string_view addresses);
  // With their real ports, comma-separated. After Listen.
  std::string addresses() const { return acceptor_.addresses(); }

  // Begins to accept. REQUIRES: the engine was started.
  void Start();
  // What /readyz says; false at first.
  void SetReady(bool ready) { context_.ready.store(ready, std::memory_order_relaxed); }
  // No new connection, and no new session on an old one (HTTP 503). Returns when that is so.
  void StopAccepting();
  // Closes every connection, politely for a moment and then hard, and returns when none is left.
  // REQUIRES: the engine still runs. Twice is no error.
  void Stop();

 private:
  void OnAccepted(AcceptedConnection accepted);

  Engine* const engine_;
  WebSocketContext context_;
  SetPerShard<ShardConnections> shards_;
  Acceptor acceptor_;
  bool running_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_WEBSOCKET_SERVER_H_
