#include "tests/bench/guard_server.h"

#include <utility>

#include "server/grpc/http2_connection.h"
#include "server/net/acceptor.h"
#include "server/websocket/http_connection.h"

namespace crier::guard {
namespace {

// A short log is soon as full as it gets, and so in its steady state.
EngineOptions Options() {
  EngineOptions options;
  options.shards = 1;
  options.topic_log.events = 500;
  return options;
}

// Known to scripts/guard.
constexpr int kNoIoUring = 3;

}  // namespace

GuardServer::GuardServer(Protocol protocol, bool io_uring)
    : engine_(Options(), clock_, &metrics_),
      table_(ConnectionTable::Limits{}),
      context_{.options = {}},
      connections_(nullptr) {
  if (protocol == Protocol::kGrpc) {
    messaging_.Register(&methods_);
    grpc_ = std::make_unique<GrpcConnections>(&shard(), &grpc_options_, &methods_);
    connections_ = grpc_.get();
  } else {
    websockets_ = std::make_unique<ShardConnections>(&shard());
    connections_ = websockets_.get();
  }
  // As SetPerShard::Start, which needs a thread per shard.
  context_.ready = true;
  if (!connections_->Start(io_uring).ok()) Fail("the server cannot start");
  shard().AddTicker([this](TimePoint now) { connections_->Tick(now); });
  shard().AfterWakes([this] { connections_->AfterWakes(); });
  if (io_uring && !connections_->sends().available()) {
    Fail("no io_uring here: see the log", kNoIoUring);
  }
}

GuardServer::~GuardServer() {
  bool stopped = false;
  connections_->Stop([&stopped] { stopped = true; });
  connections_->HardCloseAll();
  while (!stopped && shard().Poll() > 0) {
  }
}

void GuardServer::Connect(GuardClients* clients, std::string_view user) {
  auto place = table_.Enter("");
  if (!place) Fail("too few file descriptors: " + std::to_string(table_.limit()) + " connections");
  AcceptedConnection accepted{.fd = clients->Add(), .peer = "", .place = std::move(*place)};
  const size_t client = clients->count() - 1;
  if (grpc_ != nullptr) {
    Http2Connection::Start(grpc_.get(), std::move(accepted));
    clients->SendCall(client, user);
    while (clients->ReadFrames(client) == 0) {  // its welcome
      if (shard().Poll() == 0) Fail("a call was not served");
    }
    return;
  }
  HttpConnection::Start(websockets_.get(), &context_, std::move(accepted));
  clients->SendUpgrade(client, user);
  shard().Poll();
  clients->TakeUpgrade(client);
}

void GuardServer::Settle() {
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(kTickInterval);
    engine_.Tick();
  }
}

}  // namespace crier::guard
