#include "tests/parity/parity_fixture.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "server/cluster/cluster_bus.h"
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

std::string NameOfNodesPair(const ::testing::TestParamInfo<NodesPair>& pair) {
  const auto& [speech, nodes] = pair.param;
  return NameOf(speech.first) + "To" + NameOf(speech.second) + (nodes > 1 ? "OnTwoNodes" : "");
}

void ParityTest::StartServer() {
  if (node_count_ > 1) redis_ = std::make_unique<RedisServer>();
  for (size_t i = 0; i < node_count_; ++i) StartNode();
}

void ParityTest::StartNode() {
  Node& node = *nodes_.emplace_back(std::make_unique<Node>());
  node.metrics = std::make_unique<Metrics>(engine_options_.shards);
  Engine::MakeBus make_bus;
  if (redis_ != nullptr) {
    node.metrics->SetClusterServers({redis_->url()});
    make_bus = [this](Engine* engine) {
      ClusterOptions options;
      options.url = *ParseClusterUrl(redis_->url());
      return std::make_unique<ClusterBus>(engine, options);
    };
  }
  node.engine = std::make_unique<Engine>(engine_options_, *clock_, node.metrics.get(), make_bus);
  node.connections = std::make_unique<ConnectionTable>(connection_limits_, node.metrics.get());
  AddMessagingMethods(node.engine.get(), &node.methods);
  node.websocket = std::make_unique<WebSocketServer>(node.engine.get(), &node.methods,
                                                     node.connections.get(), websocket_options_);
  node.grpc = std::make_unique<GrpcServer>(node.engine.get(), &node.methods, node.connections.get(),
                                           grpc_options_);
  node.engine->Start();
  OnEveryShardOf(node, [](Shard&) {});
  if (redis_ != nullptr) AwaitCluster(node);
  ASSERT_TRUE(node.websocket->Listen("127.0.0.1:0").ok());
  ASSERT_TRUE(node.grpc->Listen("127.0.0.1:0").ok());
  ASSERT_TRUE(node.websocket->Start().ok());
  ASSERT_TRUE(node.grpc->Start().ok());
}

void ParityTest::AwaitCluster(Node& node) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    std::atomic<size_t> begun = 0;
    OnEveryShardOf(node, [&begun](Shard& shard) {
      if (shard.feeds().empty_topic().started()) ++begun;
    });
    if (begun == node.engine->shard_count() && node.metrics->IsClusterConnected()) return;
    std::this_thread::yield();
  }
  FAIL() << "the node has not found its Redis within 20 s";
}

void ParityTest::StopServer() {
  for (const auto& node : nodes_) {
    node->websocket.reset();
    node->grpc.reset();
    node->engine->Stop();
  }
  nodes_.clear();
}

std::unique_ptr<Peer> ParityTest::Connect(Speech speech, const Login& login, size_t node) {
  const Node& to = *nodes_.at(node);
  switch (speech) {
    case Speech::kGrpc:
      return MakeGrpcPeer(to.grpc->addresses(), login);
    case Speech::kPlain:
      return MakePlainPeer(to.websocket->addresses(), login);
    default:
      return MakeModelPeer(to.websocket->addresses(), login, speech);
  }
}

void ParityTest::OnEveryShard(const std::function<void(Shard&)>& task) {
  for (const auto& node : nodes_) OnEveryShardOf(*node, task);
}

void ParityTest::OnEveryShardOf(Node& node, const std::function<void(Shard&)>& task) {
  for (size_t i = 0; i < node.engine->shard_count(); ++i) {
    std::promise<void> done;
    node.engine->shard(i).Post([&] {
      task(node.engine->shard(i));
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
    sum += nodes_.front()->metrics->shard(i).of(kind).sessions_lagging.value();
  }
  return sum;
}

}  // namespace crier::testing
