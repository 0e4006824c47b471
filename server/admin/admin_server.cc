#include "server/admin/admin_server.h"

#include <future>
#include <iterator>
#include <utility>

#include "server/admin/admin_methods.h"
#include "server/admin/admin_streams.h"
#include "server/admin/other_nodes.h"

namespace crier {
namespace {

WebSocketOptions HttpOptions(WebSocketOptions options, bool open) {
  options.for_admin = true;
  options.enable_echo = false;
  options.proxy_protocol = false;
  // One connection is seldom worth a ring.
  options.io_uring = false;
  // Where no token is needed, a page of whatever origin could do what it likes.
  if (open) options.allowed_origins = {};
  return options;
}

GrpcOptions GrpcOptionsOf(GrpcOptions options) {
  options.messaging = false;
  options.proxy_protocol = false;
  options.io_uring = false;
  options.max_connection_age = std::chrono::milliseconds(0);
  return options;
}

}  // namespace

AdminServer::AdminServer(Engine* engine, AdminOptions options, const TlsContext* tls)
    : engine_(*engine),
      options_(std::move(options)),
      tls_(tls != nullptr),
      table_(
          {.total = options_.max_connections, .per_address = options_.max_connections_per_address}),
      methods_(Methods()),
      events_(engine),
      http_(engine, &methods_, &table_, HttpOptions(options_.http, options_.open), tls),
      grpc_(engine, &methods_, &table_, GrpcOptionsOf(options_.grpc), tls),
      acceptor_(
          engine->shard(0).io(), &table_,
          [this](AcceptedConnection accepted) { OnAccepted(std::move(accepted)); },
          /*refuser=*/nullptr) {
  AnswerOtherNodes(engine, &methods_);
  AddAdminStreams(engine, &options_, &events_, &grpc_.methods());
}

AdminServer::~AdminServer() { Stop(); }

UnaryMethods AdminServer::Methods() {
  UnaryMethods methods;
  AddAdminMethods({.engine = &engine_, .options = &options_}, &methods);
  return methods;
}

absl::Status AdminServer::Listen(std::string_view addresses) { return acceptor_.Listen(addresses); }

absl::Status AdminServer::Start() {
  running_ = true;
  http_.set_loopback_only(acceptor_.loopback_only());
  if (absl::Status status = http_.Start(); !status.ok()) return status;
  if (absl::Status status = grpc_.Start(); !status.ok()) return status;
  acceptor_.Start();
  return absl::OkStatus();
}

void AdminServer::SetReady(bool ready) {
  http_.SetReady(ready);
  if (running_) grpc_.SetReady(ready);
}

void AdminServer::OnAccepted(AcceptedConnection accepted) {
  // Runs on: shard 0's thread
  choosing_.emplace_back();
  const auto choosing = std::prev(choosing_.end());
  choosing->choice.emplace(engine_.shard(0).io(), std::move(accepted), tls_,
                           options_.grpc.handshake_timeout,
                           [this, choosing](SpokenProtocol spoken) { OnChosen(choosing, spoken); });
  choosing->choice->Start();
}

void AdminServer::OnChosen(std::list<Choosing>::iterator choosing, SpokenProtocol spoken) {
  AcceptedConnection accepted = choosing->choice->Release();
  choosing_.erase(choosing);
  if (spoken == SpokenProtocol::kHttp2) return grpc_.Take(std::move(accepted));
  if (spoken == SpokenProtocol::kHttp1) http_.Take(std::move(accepted));
}

void AdminServer::Stop() {
  if (!running_) return;
  running_ = false;
  std::promise<void> stopped;
  engine_.shard(0).Post([this, &stopped] {
    acceptor_.Stop();
    choosing_.clear();
    stopped.set_value();
  });
  stopped.get_future().wait();
  http_.Stop();
  grpc_.Stop();
}

}  // namespace crier
