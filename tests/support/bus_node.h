// Nodes of a cluster, or one node alone, as engines on the test's own thread: with a LocalBus, or
// with a ClusterBus on a real Redis.
#ifndef CRIER_TESTS_SUPPORT_BUS_NODE_H_
#define CRIER_TESTS_SUPPORT_BUS_NODE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/cluster/cluster_bus.h"
#include "server/engine/engine.h"
#include "tests/support/fake_client.h"
#include "tests/support/redis_server.h"

namespace crier::testing {

class BusNode {
 public:
  // `cluster_url` empty: a LocalBus.
  BusNode(const EngineOptions& options, const std::string& cluster_url)
      : metrics_(options.shards), engine_(options, Clock::Real(), &metrics_, MakeBus(cluster_url)) {
    if (!cluster_url.empty()) metrics_.SetClusterServers({cluster_url});
  }

  Engine& engine() { return engine_; }
  const Metrics& metrics() const { return metrics_; }
  ShardMetrics& metrics(size_t shard) { return metrics_.shard(shard); }
  // Ready for sessions.
  bool ready() {
    for (size_t i = 0; i < engine_.shard_count(); ++i) {
      if (!engine_.shard(i).feeds().empty_topic().started()) return false;
    }
    return metrics_.IsClusterConnected();
  }
  bool connected() const { return metrics_.IsClusterConnected(); }

  std::unique_ptr<FakeClient> Join(std::string user = {}, size_t shard = 0,
                                   const Encoding& encoding = CanonicalEncoding()) {
    SessionOptions session;
    session.kind =
        &encoding == &CanonicalEncoding() ? TransportKind::kGrpc : TransportKind::kWebSocket;
    session.encoding = &encoding;
    session.user_id = std::get<UserId>(UserId::Admit(std::move(user)));
    session.welcome = true;
    return std::make_unique<FakeClient>(&engine_, shard, session);
  }

 private:
  static Engine::MakeBus MakeBus(const std::string& url) {
    if (url.empty()) return nullptr;
    return [url](Engine* engine) {
      ClusterOptions options;
      options.url = *ParseClusterUrl(url);
      options.timeout = std::chrono::milliseconds(500);
      return std::make_unique<ClusterBus>(engine, options);
    };
  }

  Metrics metrics_;
  Engine engine_;
};

// What a client has received, as a test likes to read it.
class Reader {
 public:
  explicit Reader(std::unique_ptr<FakeClient> client) : client_(std::move(client)) {}

  FakeClient& client() { return *client_; }
  FakeClient* operator->() { return client_.get(); }

  // Takes what has come since.
  void Take() {
    for (v1::Event& event : client_->Events()) {
      if (event.has_message()) bodies_.push_back(event.message().body());
      if (event.has_gap()) gaps_.push_back(event.gap());
      if (event.has_ack()) acks_.push_back(event.ack());
      if (event.has_error()) errors_.push_back(event.error().outcome());
      if (event.has_welcome()) welcomed_ = true;
      if (event.has_presence()) presences_.push_back(event.presence());
      events_.push_back(std::move(event));
    }
  }
  const std::vector<std::string>& bodies() const { return bodies_; }
  const std::vector<v1::Gap>& gaps() const { return gaps_; }
  const std::vector<v1::Ack>& acks() const { return acks_; }
  const std::vector<std::string>& errors() const { return errors_; }
  const std::vector<v1::Presence>& presences() const { return presences_; }
  const std::vector<v1::Event>& events() const { return events_; }
  bool welcomed() const { return welcomed_; }
  // Of the last message of a topic.
  v1::ResumePoint Place(std::string_view topic) const {
    v1::ResumePoint place;
    place.set_topic(std::string(topic));
    for (const v1::Event& event : events_) {
      if (!event.has_message() || event.message().topic() != topic) continue;
      place.set_epoch(event.message().epoch());
      place.set_offset(event.message().offset());
    }
    return place;
  }

 private:
  std::unique_ptr<FakeClient> client_;
  std::vector<v1::Event> events_;
  std::vector<std::string> bodies_;
  std::vector<v1::Gap> gaps_;
  std::vector<v1::Ack> acks_;
  std::vector<std::string> errors_;
  std::vector<v1::Presence> presences_;
  bool welcomed_ = false;
};

// Nodes and their clients, and waiting for both.
class BusTest : public ::testing::Test {
 protected:
  BusTest() { options.shards = 2; }

  EngineOptions options;

  BusNode& AddNode(const std::string& cluster_url) {
    BusNode& node = *nodes_.emplace_back(std::make_unique<BusNode>(options, cluster_url));
    Until("the node is ready", [&node] { return node.ready(); });
    return node;
  }

  Reader& Join(BusNode& node, std::string user = {}, size_t shard = 0,
               const Encoding& encoding = CanonicalEncoding()) {
    Reader& reader = *readers_.emplace_back(
        std::make_unique<Reader>(node.Join(std::move(user), shard, encoding)));
    Until("it is welcomed", [&reader] { return reader.welcomed(); });
    return reader;
  }
  // It has to follow before others publish.
  void Subscribe(Reader& reader, std::string_view topic) {
    const size_t before = reader.acks().size();
    reader->Subscribe(topic, "subscribe");
    Until("its subscription has its place", [&] { return reader.acks().size() > before; });
  }

  // Runs all nodes until `condition` holds; fails the test where it does not in 20 s.
  bool Until(std::string_view what, const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (true) {
      Run();
      if (condition()) return true;
      if (std::chrono::steady_clock::now() > deadline) break;
    }
    ADD_FAILURE() << "not within 20 s: " << what;
    return false;
  }
  bool UntilBodies(Reader& reader, const std::vector<std::string>& bodies) {
    const bool came =
        Until("all messages have come", [&] { return reader.bodies().size() >= bodies.size(); });
    EXPECT_EQ(reader.bodies(), bodies);
    return came;
  }
  // Lets all that is on its way arrive: a message of each of them to itself by way of the bus.
  void Settle() {
    for (int round = 0; round < 2; ++round) {
      for (const auto& reader : readers_) {
        if (reader->client().ended()) continue;
        const size_t before = reader->acks().size() + reader->errors().size();
        reader->client().Direct("nobody is called so", "", "settle");
        Until("the bus answers",
              [&] { return reader->acks().size() + reader->errors().size() > before; });
      }
    }
  }

  void Run() {
    for (const auto& node : nodes_) node->engine().Tick();
    for (const auto& reader : readers_) reader->Take();
  }
  void Leave(Reader& reader) {
    std::erase_if(readers_, [&](const auto& owned) { return owned.get() == &reader; });
  }
  void RemoveNode(BusNode& node) {
    std::erase_if(nodes_, [&](const auto& owned) { return owned.get() == &node; });
  }

 private:
  std::vector<std::unique_ptr<BusNode>> nodes_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_BUS_NODE_H_
