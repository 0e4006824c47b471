#include "tests/support/grpc_server_fixture.h"

#include <future>
#include <thread>

#include "server/service/messaging_methods.h"

namespace crier::testing {

GrpcServerTest::GrpcServerTest() { engine_options_.shards = 2; }

GrpcServerTest::~GrpcServerTest() { StopServer(); }

void GrpcServerTest::StartServer() {
  metrics_ = std::make_unique<Metrics>(engine_options_.shards);
  engine_ = std::make_unique<Engine>(engine_options_, *clock_, metrics_.get());
  table_ = std::make_unique<ConnectionTable>(connection_limits_, metrics_.get());
  methods_ = std::make_unique<UnaryMethods>();
  AddMessagingMethods(engine_.get(), methods_.get());
  AddMethods(methods_.get());
  server_ =
      std::make_unique<GrpcServer>(engine_.get(), methods_.get(), table_.get(), grpc_options_);
  Prepare(server_.get());
  engine_->Start();
  // Some tests are over before the system has given every shard's thread its first turn.
  for (size_t i = 0; i < engine_->shard_count(); ++i) {
    std::promise<void> runs;
    engine_->shard(i).Post([&runs] { runs.set_value(); });
    runs.get_future().wait();
  }
  const absl::Status status = server_->Listen("127.0.0.1:0");
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(server_->Start().ok());
  server_->SetReady(true);
}

void GrpcServerTest::StopServer() {
  if (server_ != nullptr) server_->Stop();
  if (engine_ != nullptr) engine_->Stop();
  server_.reset();
  engine_.reset();
}

void GrpcServerTest::Eventually(const std::string& what, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "still not so: " << what;
    std::this_thread::yield();
  }
}

int64_t GrpcServerTest::Sum(const std::function<int64_t(const ShardMetrics&)>& value) const {
  int64_t sum = 0;
  for (size_t i = 0; i < engine_options_.shards; ++i) sum += value(metrics_->shard(i));
  return sum;
}

int64_t GrpcServerTest::sessions() const {
  return Sum([](const ShardMetrics& m) { return m.of(TransportKind::kGrpc).sessions.value(); });
}

int64_t GrpcServerTest::lagging() const {
  return Sum(
      [](const ShardMetrics& m) { return m.of(TransportKind::kGrpc).sessions_lagging.value(); });
}

int64_t GrpcServerTest::log_bytes() const { return memory(MemoryKind::kLogs); }

int64_t GrpcServerTest::memory(MemoryKind kind) const {
  return Sum([kind](const ShardMetrics& m) { return m.memory[static_cast<size_t>(kind)].value(); });
}

uint64_t GrpcServerTest::violations(GrpcViolation violation) const {
  return static_cast<uint64_t>(Sum([violation](const ShardMetrics& m) {
    return static_cast<int64_t>(m.grpc_violations[static_cast<size_t>(violation)].value());
  }));
}

int64_t GrpcServerTest::timed_out() const {
  return Sum([](const ShardMetrics& m) {
    return static_cast<int64_t>(m.of(TransportKind::kGrpc).handshakes_timed_out.value());
  });
}

uint64_t GrpcServerTest::refused_connections() const {
  return metrics_->connections().refused[static_cast<size_t>(RefusalKind::kTotal)].value();
}

uint64_t GrpcServerTest::handled(GrpcMethod method, int code) const {
  return static_cast<uint64_t>(Sum([method, code](const ShardMetrics& m) {
    const auto& counts = m.grpc_methods[static_cast<size_t>(method)].handled;
    return static_cast<int64_t>(counts[static_cast<size_t>(code)].value());
  }));
}

int64_t GrpcServerTest::received_directs() const {
  return Sum([](const ShardMetrics& m) {
    const auto& received = m.of(TransportKind::kGrpc).received;
    return static_cast<int64_t>(received[static_cast<size_t>(ActionKind::kDirect)].value());
  });
}

uint64_t GrpcServerTest::ended(Outcome outcome) const {
  return static_cast<uint64_t>(Sum([outcome](const ShardMetrics& m) {
    return static_cast<int64_t>(
        m.of(TransportKind::kGrpc).ended[static_cast<size_t>(outcome)].value());
  }));
}

}  // namespace crier::testing
