#include "server/grpc/grpc_server.h"

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

#include "crier/v1/messaging.pb.h"
#include "server/base/concat.h"
#include "server/grpc/http2_connection.h"
#include "server/grpc/reflection_service.h"
#include "server/grpc/unary_service.h"

namespace crier {
namespace {

// Best effort: a GOAWAY that says why. Without SETTINGS before it, it is no HTTP/2 connection yet,
// and so gRPC's clients wait before they try again. With SETTINGS they begin anew at once, because
// a connection came about.
void RefuseConnection(int fd, RefusalKind why) {
  const std::string text = Concat({Info(OutcomeOf(why)).name, ": ", TextOf(why)});
  assert(8 + text.size() < 256);
  std::string goodbye = {'\0', '\0', static_cast<char>(8 + text.size()), '\7', '\0', '\0', '\0',
                         '\0', '\0'};
  goodbye += {'\0', '\0', '\0', '\0', '\0', '\0', '\0', NGHTTP2_ENHANCE_YOUR_CALM};
  goodbye += text;
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, goodbye.data(), goodbye.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

GrpcServer::GrpcServer(Engine* engine, const UnaryMethods* unary, ConnectionTable* table,
                       const GrpcOptions& options, const TlsContext* tls)
    : engine_(*engine),
      options_(options),
      health_(std::make_shared<HealthService>(engine->shard_count())),
      connections_(engine,
                   [this, tls](Shard* shard) {
                     return std::make_shared<GrpcConnections>(shard, &options_, &methods_, tls);
                   }),
      acceptor_(
          engine->shard(0).io(), table,
          [this](AcceptedConnection accepted) { OnAccepted(std::move(accepted)); },
          tls == nullptr ? &RefuseConnection : &RefuseTls) {
  // Referenced here, so that the linker keeps its descriptors for reflection.
  const std::string messaging = v1::PublishRequest::descriptor()->file()->service(0)->full_name();
  if (options_.messaging) messaging_.Register(&methods_);
  health_->Register(&methods_);
  RegisterUnary(*unary, &methods_);
  std::vector<std::string> services = unary->services();
  if (options_.messaging &&
      std::find(services.begin(), services.end(), messaging) == services.end()) {
    services.push_back(messaging);
  }
  services.emplace_back("grpc.health.v1.Health");
  RegisterReflection(std::move(services), &methods_);
}

GrpcServer::~GrpcServer() { Stop(); }

absl::Status GrpcServer::Listen(std::string_view addresses) { return acceptor_.Listen(addresses); }

absl::Status GrpcServer::Start() {
  running_ = true;
  const absl::Status status = connections_.Start("gRPC", options_.io_uring);
  if (options_.proxy_protocol) acceptor_.ExpectProxyHeaders(options_.handshake_timeout);
  if (status.ok()) acceptor_.Start();
  return status;
}

void GrpcServer::OnAccepted(AcceptedConnection accepted) {
  // Runs on: shard 0's thread
  Shard& shard = engine_.NextShard();
  GrpcConnections* connections = connections_.Of(shard);
  if (shard.IsCurrent()) {
    NoThrow(&shard.metrics().handler_exceptions, "an accepted connection's start",
            [&] { Http2Connection::Start(connections, std::move(accepted)); });
    return;
  }
  shard.Post([connections, moved = std::move(accepted)]() mutable {
    Http2Connection::Start(connections, std::move(moved));
  });
}

void GrpcServer::SetReady(bool ready) {
  health_->SetReady(ready);
  for (size_t i = 0; i < engine_.shard_count(); ++i) {
    Shard& shard = engine_.shard(i);
    shard.Post([health = health_, &shard] { health->Tell(shard); });
  }
}

void GrpcServer::StopAccepting() {
  messaging_.RefuseSessions();
  if (!running_) return;
  connections_.OnEach([this](GrpcConnections* set) {
    if (set->shard().index() == 0) acceptor_.Stop();
    set->AnnounceStop();
  });
}

void GrpcServer::Stop(std::chrono::milliseconds grace) {
  if (!running_) return;
  StopAccepting();
  running_ = false;
  connections_.Stop(grace);
}

}  // namespace crier
