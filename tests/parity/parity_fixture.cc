#include "tests/parity/parity_fixture.h"

#include <chrono>
#include <future>
#include <thread>

#include "server/service/messaging_methods.h"

namespace crier::testing {

std::vector<SpeechPair> AllPairs() {
  std::vector<SpeechPair> pairs;
  for (const Speech speaks : kEverySpeech) {
    for (const Speech listens : kEverySpeech) pairs.emplace_back(speaks, listens);
  }
  return pairs;
}

std::string NameOfPair(const ::testing::TestParamInfo<SpeechPair>& pair) {
  return NameOf(pair.param.first) + "To" + NameOf(pair.param.second);
}

void ParityTest::StartServer() {
  metrics_ = std::make_unique<Metrics>(engine_options_.shards);
  engine_ = std::make_unique<Engine>(engine_options_, *clock_, metrics_.get());
  connections_ = std::make_unique<ConnectionTable>(connection_limits_, metrics_.get());
  AddMessagingMethods(engine_.get(), &methods_);
  websocket_ = std::make_unique<WebSocketServer>(engine_.get(), &methods_, connections_.get(),
                                                 websocket_options_);
  grpc_ = std::make_unique<GrpcServer>(engine_.get(), &methods_, connections_.get(), grpc_options_);
  engine_->Start();
  OnEveryShard([](Shard&) {});
  ASSERT_TRUE(websocket_->Listen("127.0.0.1:0").ok());
  ASSERT_TRUE(grpc_->Listen("127.0.0.1:0").ok());
  ASSERT_TRUE(websocket_->Start().ok());
  ASSERT_TRUE(grpc_->Start().ok());
}

void ParityTest::StopServer() {
  if (engine_ == nullptr) return;
  websocket_.reset();
  grpc_.reset();
  engine_->Stop();
  engine_.reset();
}

std::unique_ptr<Peer> ParityTest::Connect(Speech speech, const Login& login) {
  switch (speech) {
    case Speech::kGrpc:
      return MakeGrpcPeer(grpc_->addresses(), login);
    case Speech::kPlain:
      return MakePlainPeer(websocket_->addresses(), login);
    default:
      return MakeModelPeer(websocket_->addresses(), login, speech);
  }
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

int64_t ParityTest::Metric(const std::string& name) const {
  const std::string text = "\n" + MetricsText();
  const size_t found = text.find("\n" + name + " ");
  if (found == std::string::npos) {
    ADD_FAILURE() << "no metric " << name;
    return 0;
  }
  return std::stoll(text.substr(found + name.size() + 2));
}

void ParityTest::AwaitMetric(const std::string& name, int64_t least) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (Metric(name) < least && !HasFailure()) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << name << " is " << Metric(name) << " and not " << least;
    }
    std::this_thread::yield();
  }
}

int64_t ParityTest::lagging(Speech speech) const {
  const TransportKind kind =
      speech == Speech::kGrpc ? TransportKind::kGrpc : TransportKind::kWebSocket;
  int64_t sum = 0;
  for (size_t i = 0; i < engine_options_.shards; ++i) {
    sum += metrics_->shard(i).of(kind).sessions_lagging.value();
  }
  return sum;
}

}  // namespace crier::testing
