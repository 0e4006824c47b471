#include "server/websocket/websocket_server.h"

#include <sys/socket.h>

#include <memory>
#include <utility>

#include "server/websocket/http_connection.h"

namespace crier {
namespace {

// How long Stop lets closing handshakes take. A drain has closed the sessions before; who is left
// came in between or does not answer.
constexpr std::chrono::milliseconds kPoliteStop{500};

// Best effort: the socket's buffer is empty, so this fits.
void RefuseConnection(int fd) {
  const std::string_view response = TooManySessionsResponse();
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, response.data(), response.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

WebSocketServer::WebSocketServer(Engine* engine, ConnectionTable* table, WebSocketOptions options)
    : engine_(engine),
      context_{.options = std::move(options)},
      shards_(engine, [](Shard* shard) { return std::make_shared<ShardConnections>(shard); }),
      acceptor_(
          engine->shard(0).io(), table,
          [this](AcceptedConnection accepted) { OnAccepted(std::move(accepted)); },
          &RefuseConnection) {}

WebSocketServer::~WebSocketServer() { Stop(); }

absl::Status WebSocketServer::Listen(std::string_view addresses) {
  return acceptor_.Listen(addresses);
}

void WebSocketServer::Start() {
  running_ = true;
  shards_.Start("WebSockets", context_.options.io_uring);
  acceptor_.Start();
}

void WebSocketServer::OnAccepted(AcceptedConnection accepted) {
  // Runs on: shard 0's thread
  Shard& shard = engine_->NextShard();
  ShardConnections* connections = shards_.Of(shard);
  if (shard.IsCurrent()) {
    HttpConnection::Start(connections, &context_, std::move(accepted));
    return;
  }
  shard.Post([this, connections, moved = std::move(accepted)]() mutable {
    HttpConnection::Start(connections, &context_, std::move(moved));
  });
}

void WebSocketServer::StopAccepting() {
  context_.accepting.store(false, std::memory_order_relaxed);
  if (!running_) return;
  shards_.OnEach([this](ShardConnections* set) {
    if (set->shard().index() == 0) acceptor_.Stop();
  });
}

void WebSocketServer::Stop() {
  if (!running_) return;
  SetReady(false);
  StopAccepting();
  running_ = false;
  shards_.Stop(kPoliteStop);
}

}  // namespace crier
