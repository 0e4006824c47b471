// A whole WebSocket server in the test's process, on a port that the system chose, and words for
// what tests say to it.
#ifndef CRIER_TESTS_SUPPORT_WEBSOCKET_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_WEBSOCKET_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "server/engine/engine.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "server/service/messaging_methods.h"
#include "server/websocket/websocket_server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// A broadcast, a direct message and so on, in the plain dialect.
inline std::string Say(std::string_view action, std::string_view body,
                       std::string_view more_keys = {}) {
  std::string text =
      R"({"action_type":")" + std::string(action) + R"(","body":")" + std::string(body) + '"';
  if (!more_keys.empty()) text += "," + std::string(more_keys);
  return text + "}";
}

class WebSocketServerTest : public ::testing::Test {
 protected:
  // Before Start: what the test wants otherwise.
  WebSocketOptions websocket_options;
  EngineOptions engine_options;
  ConnectionTable::Limits connection_limits;
  size_t shards = 2;
  bool use_fake_clock = false;
  FakeClock fake_clock;
  const Clock* clock = nullptr;  // any other, which outlives the test
  // Called by Start with the methods that the server will have.
  virtual void AddMethods(UnaryMethods* /*methods*/) {}

  void Start() {
    engine_options.shards = shards;
    metrics_ = std::make_unique<Metrics>(shards);
    if (clock == nullptr) clock = use_fake_clock ? &fake_clock : &Clock::Real();
    engine_ = std::make_unique<Engine>(engine_options, *clock, metrics_.get());
    engine_->Start();
    connections_ = std::make_unique<ConnectionTable>(connection_limits, metrics_.get());
    AddMessagingMethods(engine_.get(), &methods_);
    AddMethods(&methods_);
    server_ = std::make_unique<WebSocketServer>(engine_.get(), &methods_, connections_.get(),
                                                websocket_options);
    ASSERT_TRUE(server_->Listen("127.0.0.1:0").ok());
    ASSERT_TRUE(server_->Start().ok());
    server_->SetReady(true);
  }

  void TearDown() override {
    server_.reset();
    if (engine_ != nullptr) engine_->Stop();
  }

  WebSocketServer& server() { return *server_; }
  Engine& engine() { return *engine_; }
  std::string address() const { return server_->addresses(); }

  WebSocketClient Connect(const WebSocketClient::Options& options = {}) {
    WebSocketClient client(address(), options);
    EXPECT_EQ(client.status(), 101) << client.response();
    return client;
  }
  WebSocketClient ConnectAs(const std::string& user) {
    return Connect({.target = "/ws?user_id=" + user, .headers = {}});
  }

  // Of all kinds, as the acceptor counts them.
  size_t OpenConnections() const { return connections_->size(); }

  // --- What the metrics say, over all shards.

  int64_t Sum(const std::function<int64_t(const ShardMetrics&)>& value) {
    int64_t sum = 0;
    for (size_t i = 0; i < shards; ++i) sum += value(metrics_->shard(i));
    return sum;
  }
  int64_t ConnectionCount() {
    return Sum([](const ShardMetrics& metrics) { return metrics.ws_connections.value(); });
  }
  int64_t AcceptedCount() {
    return Sum([](const ShardMetrics& metrics) {
      return static_cast<int64_t>(metrics.ws_connections_accepted.value());
    });
  }
  int64_t ClosedErrors() {
    return Sum([](const ShardMetrics& metrics) {
      return static_cast<int64_t>(metrics.ws_closed_errors.value());
    });
  }
  int64_t LaggingCount() {
    return Sum([](const ShardMetrics& metrics) {
      return metrics.of(TransportKind::kWebSocket).sessions_lagging.value();
    });
  }
  int64_t EndedCount(Outcome outcome) {
    return Sum([outcome](const ShardMetrics& metrics) {
      return static_cast<int64_t>(
          metrics.of(TransportKind::kWebSocket).ended[static_cast<size_t>(outcome)].value());
    });
  }
  int64_t Received(ActionKind action) {
    return Sum([action](const ShardMetrics& metrics) {
      return static_cast<int64_t>(
          metrics.of(TransportKind::kWebSocket).received[static_cast<size_t>(action)].value());
    });
  }
  int64_t Writes() {
    return Sum([](const ShardMetrics& metrics) {
      return static_cast<int64_t>(metrics.of(TransportKind::kWebSocket).writes.value());
    });
  }

  // Waits for a condition; false: it did not come true in time.
  static bool Eventually(const std::function<bool()>& condition,
                         std::chrono::milliseconds patience = 10s) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  // Moves the fake clock, in steps that every shard sees, so that nothing jumps over a deadline. A
  // step longer than ServedTime::kPause is a pause of the server.
  void PassTime(std::chrono::milliseconds time, std::chrono::milliseconds step = 1s) {
    for (; time > 0ms; time -= step) {
      fake_clock.Advance(std::min(time, step));
      OnEveryShard([this](size_t i) { engine_->shard(i).Tick(fake_clock.Now()); });
    }
  }
  void OnEveryShard(const std::function<void(size_t)>& task) {
    for (size_t i = 0; i < shards; ++i) {
      std::promise<void> done;
      engine_->shard(i).Post([&] {
        task(i);
        done.set_value();
      });
      done.get_future().wait();
    }
  }

 private:
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<ConnectionTable> connections_;
  std::unique_ptr<Engine> engine_;
  UnaryMethods methods_;
  std::unique_ptr<WebSocketServer> server_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_WEBSOCKET_FIXTURE_H_
