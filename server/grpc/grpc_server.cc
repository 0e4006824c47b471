#include "server/grpc/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <cassert>
#include <future>
#include <utility>

#include "grpc/health/v1/health.pb.h"
#include "server/grpc/messaging_service.h"
#include "server/grpc/shard_streams.h"

namespace crier {
namespace {

// The calls of the reflection service each hold a thread of gRPC's own for as long as they are
// open; over this many threads they are refused with RESOURCE_EXHAUSTED. Everything else runs on
// callbacks, which the quota does not count.
constexpr int kMaxBlockingThreads = 16;

void SetChannelArguments(const GrpcOptions& options, grpc::ServerBuilder* builder) {
  const auto millis = [](std::chrono::milliseconds d) { return static_cast<int>(d.count()); };
  builder->SetMaxReceiveMessageSize(static_cast<int>(options.max_receive_bytes));
  builder->AddChannelArgument(
      GRPC_ARG_MAX_METADATA_SIZE,
      static_cast<int>(GrpcOptions::kHardMetadataFactor * options.max_metadata_bytes));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_streams_per_connection);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, millis(options.keepalive_time));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, millis(options.keepalive_timeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              millis(options.min_client_ping_interval));
  // Or keepalive would stop after two pings to a client that is only silent.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A write is done when the peer's flow control has let it through, not when gRPC has it: what a
  // slow peer is owed then waits in the log, once for all, and not in a buffer of each stream.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, 0);
  // Clients send little: there is no bandwidth to discover, and each probe is a ping.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
}

}  // namespace

GrpcServer::GrpcServer(Engine* engine, ConnectionTable* table, const GrpcOptions& options)
    : engine_(*engine), options_(options) {
  std::vector<ShardStreams*> streams;
  for (size_t i = 0; i < engine_.shard_count(); ++i) {
    streams_.push_back(std::make_shared<ShardStreams>(&engine_.shard(i), options_.close_timeout));
    streams.push_back(streams_.back().get());
  }
  service_ =
      std::make_unique<MessagingService>(engine, std::move(streams), options_.max_metadata_bytes);
  boost::asio::io_context& io = engine_.shard(0).io();
  sockets_ = std::make_unique<HandedOverSockets>(io, table);
  acceptor_ = std::make_unique<Acceptor>(
      io, table, [this](AcceptedConnection connection) { HandOver(std::move(connection)); });
}

GrpcServer::~GrpcServer() { Stop(); }

absl::Status GrpcServer::Listen(std::string_view addresses) {
  if (absl::Status status = acceptor_->Listen(addresses); !status.ok()) return status;
  return BuildServer();
}

absl::Status GrpcServer::BuildServer() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // gRPC's health service brings no descriptors; named here so that the linker keeps ours, and
  // reflection can describe it.
  grpc::health::v1::HealthCheckRequest::descriptor();
  grpc::ServerBuilder builder;
  SetChannelArguments(options_, &builder);
  grpc::ResourceQuota quota("crier");
  quota.SetMaxThreads(kMaxBlockingThreads);
  builder.SetResourceQuota(quota);
  builder.RegisterService(service_.get());
  hand_over_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::InternalError("gRPC did not start (its log says why)");
  SetReady(false);
  return absl::OkStatus();
}

std::string GrpcServer::addresses() const { return acceptor_->addresses(); }

void GrpcServer::Start() {
  assert(server_ != nullptr && !started_);
  started_ = true;
  for (const std::shared_ptr<ShardStreams>& streams : streams_) {
    Shard& shard = streams->shard();
    shard.Post([&shard, streams] {
      shard.AddTicker([streams](TimePoint now) { streams->Tick(now); });
      shard.AfterWakes([streams] { streams->gate().Open(); });
    });
  }
  acceptor_->Start();
}

void GrpcServer::HandOver(AcceptedConnection connection) {
  sockets_->Add(connection.fd.get(), std::move(connection.place));
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = connection.listener_fd;
  parameters.fd = connection.fd.release();
  hand_over_->HandleNewConnection(&parameters);
}

void GrpcServer::SetReady(bool ready) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus(v1::Messaging::service_full_name(), ready);
  health->SetServingStatus("", ready);
}

void GrpcServer::StopAccepting() {
  service_->RefuseSessions();
  if (started_ && acceptor_ != nullptr) RunOnShard0([this] { acceptor_->Stop(); });
}

void GrpcServer::Stop(std::chrono::milliseconds grace) {
  if (server_ == nullptr) return;
  StopAccepting();
  server_->Shutdown(std::chrono::system_clock::now() + grace);
  server_.reset();
  if (!started_) return;
  RunOnShard0([this] {
    acceptor_.reset();
    sockets_.reset();
  });
}

void GrpcServer::RunOnShard0(absl::AnyInvocable<void()> task) {
  std::promise<void> done;
  engine_.shard(0).Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace crier
