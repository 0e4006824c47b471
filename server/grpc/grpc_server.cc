#include "server/grpc/grpc_server.h"

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#include <utility>

#include "crier/v1/messaging.pb.h"
#include "server/grpc/http2_connection.h"
#include "server/grpc/reflection_service.h"

namespace crier {
namespace {

// Best effort: SETTINGS, and GOAWAY that says why (RFC 9113, section 6.8). No stream was looked at,
// so a client may try each of them again.
void RefuseConnection(int fd) {
  constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);
  constexpr std::string_view kWhy = "TOO_MANY_SESSIONS: as many connections as there may be";
  static_assert(8 + kWhy.size() < 256);
  std::string goodbye(kSettings);
  goodbye += {'\0', '\0', static_cast<char>(8 + kWhy.size()), '\7', '\0', '\0', '\0', '\0', '\0'};
  goodbye += {'\0', '\0', '\0', '\0', '\0', '\0', '\0', NGHTTP2_ENHANCE_YOUR_CALM};
  goodbye += kWhy;
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, goodbye.data(), goodbye.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

GrpcServer::GrpcServer(Engine* engine, ConnectionTable* table, const GrpcOptions& options)
    : engine_(*engine),
      options_(options),
      messaging_(engine),
      health_(std::make_shared<HealthService>(engine->shard_count())),
      connections_(engine,
                   [this](Shard* shard) {
                     return std::make_shared<GrpcConnections>(shard, &options_, &methods_);
                   }),
      acceptor_(
          engine->shard(0).io(), table,
          [this](AcceptedConnection accepted) { OnAccepted(std::move(accepted)); },
          &RefuseConnection) {
  // Named, so that the linker keeps its descriptors for reflection.
  const std::string messaging = v1::PublishRequest::descriptor()->file()->service(0)->full_name();
  messaging_.Register(&methods_);
  health_->Register(&methods_);
  RegisterReflection({messaging, "grpc.health.v1.Health"}, &methods_);
}

GrpcServer::~GrpcServer() { Stop(); }

absl::Status GrpcServer::Listen(std::string_view addresses) { return acceptor_.Listen(addresses); }

void GrpcServer::Start() {
  running_ = true;
  connections_.Start("gRPC", options_.io_uring);
  acceptor_.Start();
}

void GrpcServer::OnAccepted(AcceptedConnection accepted) {
  // Runs on: shard 0's thread
  Shard& shard = engine_.NextShard();
  GrpcConnections* connections = connections_.Of(shard);
  if (shard.IsCurrent()) return Http2Connection::Start(connections, std::move(accepted));
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
  });
}

void GrpcServer::Stop(std::chrono::milliseconds grace) {
  if (!running_) return;
  StopAccepting();
  running_ = false;
  connections_.Stop(grace);
}

}  // namespace crier
