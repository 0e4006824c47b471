#include "server/websocket/websocket_server.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <latch>
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
      acceptor_(
          engine->shard(0).io(), table,
          [this](AcceptedConnection accepted) { OnAccepted(std::move(accepted)); },
          &RefuseConnection) {
  for (size_t i = 0; i < engine->shard_count(); ++i) {
    shards_.push_back(std::make_shared<ShardConnections>(&engine->shard(i)));
  }
}

WebSocketServer::~WebSocketServer() { Stop(); }

absl::Status WebSocketServer::Listen(std::string_view addresses) {
  return acceptor_.Listen(addresses);
}

template <class Task>
void WebSocketServer::OnEveryShard(Task task) {
  std::latch done(static_cast<ptrdiff_t>(engine_->shard_count()));
  for (size_t i = 0; i < engine_->shard_count(); ++i) {
    engine_->shard(i).Post([&task, &done, i] {
      task(i);
      done.count_down();
    });
  }
  done.wait();
}

void WebSocketServer::Start() {
  running_ = true;
  OnEveryShard([this](size_t i) {
    if (const absl::Status status = shards_[i]->Start(); !status.ok()) {
      spdlog::critical("shard {} cannot serve WebSockets: {}", i, status.ToString());
    }
    // The shard keeps its tickers to its end, which may come after this server's.
    engine_->shard(i).AddTicker([weak = std::weak_ptr(shards_[i])](TimePoint now) {
      if (const auto connections = weak.lock()) connections->Tick(now);
    });
    if (!context_.options.io_uring) return;
    if (const absl::Status status = shards_[i]->sends().Start(); !status.ok()) {
      spdlog::info("shard {} sends one by one: {}", i, status.ToString());
      return;
    }
    engine_->shard(i).AfterWakes([weak = std::weak_ptr(shards_[i])] {
      if (const auto connections = weak.lock()) connections->sends().Submit();
    });
  });
  acceptor_.Start();
}

void WebSocketServer::OnAccepted(AcceptedConnection accepted) {
  // Runs on: shard 0's thread
  Shard& shard = engine_->NextShard();
  ShardConnections* connections = shards_[shard.index()].get();
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
  OnEveryShard([this](size_t i) {
    if (i == 0) acceptor_.Stop();
  });
}

void WebSocketServer::Stop() {
  if (!running_) return;
  SetReady(false);
  StopAccepting();
  running_ = false;
  std::vector<std::future<void>> stopped;
  for (const auto& connections : shards_) {
    auto promise = std::make_shared<std::promise<void>>();
    stopped.push_back(promise->get_future());
    connections->shard().Post(
        [connections, promise] { connections->Stop([promise] { promise->set_value(); }); });
  }
  const auto polite_until = std::chrono::steady_clock::now() + kPoliteStop;
  for (auto& one : stopped) one.wait_until(polite_until);
  for (const auto& connections : shards_) {
    connections->shard().Post([connections] { connections->HardCloseAll(); });
  }
  for (auto& one : stopped) one.wait();
  // On their own threads: what they posted to themselves has run then.
  OnEveryShard([this](size_t i) { shards_[i].reset(); });
}

}  // namespace crier
