#include "tests/parity/parity_fixture.h"

#include <future>

namespace crier::testing {

std::vector<TransportPair> AllPairs() {
  std::vector<TransportPair> pairs;
  for (const TransportKind sends : {TransportKind::kWebSocket, TransportKind::kGrpc}) {
    for (const TransportKind listens : {TransportKind::kWebSocket, TransportKind::kGrpc}) {
      pairs.emplace_back(sends, listens);
    }
  }
  return pairs;
}

std::string NameOfPair(const ::testing::TestParamInfo<TransportPair>& pair) {
  const auto name = [](TransportKind kind) {
    return std::string(kind == TransportKind::kGrpc ? "Grpc" : "WebSocket");
  };
  return name(pair.param.first) + "To" + name(pair.param.second);
}

void ParityTest::StartServer() {
  metrics_ = std::make_unique<Metrics>(engine_options_.shards);
  engine_ = std::make_unique<Engine>(engine_options_, Clock::Real(), metrics_.get());
  connections_ = std::make_unique<ConnectionTable>(ConnectionTable::Limits{});
  websocket_ =
      std::make_unique<WebSocketServer>(engine_.get(), connections_.get(), WebSocketOptions{});
  grpc_ = std::make_unique<GrpcServer>(engine_.get(), connections_.get());
  engine_->Start();
  OnEveryShard([](Shard&) {});
  ASSERT_TRUE(websocket_->Listen("127.0.0.1:0").ok());
  ASSERT_TRUE(grpc_->Listen("127.0.0.1:0").ok());
  websocket_->Start();
  grpc_->Start();
}

void ParityTest::StopServer() {
  if (engine_ == nullptr) return;
  websocket_.reset();
  grpc_.reset();
  engine_->Stop();
  engine_.reset();
}

std::unique_ptr<Peer> ParityTest::Connect(TransportKind kind, const std::string& user) {
  return kind == TransportKind::kGrpc ? MakeGrpcPeer(grpc_->addresses(), user)
                                      : MakeWebSocketPeer(websocket_->addresses(), user);
}

void ParityTest::OnEveryShard(const std::function<void(Shard&)>& task) {
  for (size_t i = 0; i < engine_->shard_count(); ++i) {
    std::promise<void> done;
    engine_->shard(i).Post([&] {
      task(engine_->shard(i));
      done.set_value();
    });
    done.get_future().wait();
  }
}

int64_t ParityTest::lagging(TransportKind kind) const {
  int64_t sum = 0;
  for (size_t i = 0; i < engine_options_.shards; ++i) {
    sum += metrics_->shard(i).of(kind).sessions_lagging.value();
  }
  return sum;
}

}  // namespace crier::testing
