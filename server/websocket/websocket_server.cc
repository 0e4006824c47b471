#include "server/websocket/websocket_server.h"

#include <sys/socket.h>

#include <memory>
#include <utility>

#include "server/websocket/http_connection.h"

namespace crier {
namespace {

// How long Stop waits for closing handshakes. A drain has closed the sessions before. The peers
// that are left came in between or do not answer.
constexpr std::chrono::milliseconds kPoliteStop{500};

// Best effort: the socket's buffer is empty, so this fits.
void RefuseConnection(int fd, RefusalKind why) {
  const std::string response = RefusedConnectionBytes(why);
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, response.data(), response.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

WebSocketServer::WebSocketServer(Engine* engine, const UnaryMethods* methods,
                                 ConnectionTable* table, WebSocketOptions options,
                                 const TlsContext* tls)
    : engine_(engine),
      context_{.options = std::move(options)},
      shards_(engine, [](Shard* shard) { return std::make_shared<ShardConnections>(shard); }),
      acceptor_(
          engine->shard(0).io(), table,
          [this](AcceptedConnection accepted) { OnAccepted(std::move(accepted)); },
          tls == nullptr ? &RefuseConnection : &RefuseTls, /*use_reserve=*/true) {
  context_.trusted_proxies = &table->trusted_proxies();
  context_.tls = tls;
  context_.methods = methods;
}

WebSocketServer::~WebSocketServer() { Stop(); }

absl::Status WebSocketServer::Listen(std::string_view addresses) {
  return acceptor_.Listen(addresses);
}

absl::Status WebSocketServer::Start() {
  if (!context_.options.for_admin) metrics_ = std::make_unique<MetricsThread>(&engine_->metrics());
  context_.metrics = metrics_.get();
  if (context_.options.proxy_protocol) {
    acceptor_.ExpectProxyHeaders(context_.options.handshake_timeout);
  }
  if (!addresses().empty()) context_.loopback_only = acceptor_.loopback_only();
  running_ = true;
  const absl::Status status = shards_.Start("WebSockets", context_.options.io_uring);
  if (status.ok()) acceptor_.Start();
  return status;
}

void WebSocketServer::OnAccepted(AcceptedConnection accepted) {
  // Runs on: shard 0's thread
  Shard& shard = engine_->NextShard();
  ShardConnections* connections = shards_.Of(shard);
  if (shard.IsCurrent()) {
    NoThrow(&shard.metrics().handler_exceptions, "an accepted connection's start",
            [&] { HttpConnection::Start(connections, &context_, std::move(accepted)); });
    return;
  }
  shard.Post([this, connections, moved = std::move(accepted)]() mutable {
    HttpConnection::Start(connections, &context_, std::move(moved));
  });
}

void WebSocketServer::StopAccepting() {
  shards_.OnEach([this](ShardConnections* set) {
    if (set->shard().index() == 0) acceptor_.Stop();
  });
}

void WebSocketServer::Stop() {
  if (!running_) return;
  SetReady(false);
  StopSessions();
  StopAccepting();
  running_ = false;
  shards_.Stop(kPoliteStop);
  metrics_.reset();
}

}  // namespace crier
