// An engine on the test's own thread and a clock that the test moves.
#ifndef CRIER_TESTS_SUPPORT_ENGINE_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_ENGINE_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "server/engine/engine.h"
#include "tests/support/fake_client.h"
#include "tests/support/fake_clock.h"

namespace crier {

class EngineTest : public testing::Test {
 protected:
  // Options are changed before the first client joins.
  EngineOptions options;
  Engine::MakeBus make_bus;  // null: the node is alone
  FakeClock clock;

  Engine& engine() {
    if (engine_ == nullptr) {
      metrics_ = std::make_unique<Metrics>(options.shards);
      engine_ = std::make_unique<Engine>(options, clock, metrics_.get(), make_bus);
    }
    return *engine_;
  }

  std::unique_ptr<FakeClient> Join(std::string user = {}, size_t shard = 0,
                                   const Encoding& encoding = CanonicalEncoding()) {
    SessionOptions session;
    session.kind =
        &encoding == &CanonicalEncoding() ? TransportKind::kGrpc : TransportKind::kWebSocket;
    session.encoding = &encoding;
    session.user_id = User(std::move(user));
    return std::make_unique<FakeClient>(&engine(), shard, session);
  }

  static UserId User(std::string name) { return std::get<UserId>(UserId::Admit(std::move(name))); }

  // What all shards keep of this kind, in bytes.
  int64_t Memory(MemoryKind kind) {
    int64_t bytes = 0;
    for (size_t i = 0; i < options.shards; ++i) {
      bytes += metrics(i).memory[static_cast<size_t>(kind)].value();
    }
    return bytes;
  }

  void Pass(std::chrono::milliseconds time) {
    while (time.count() > 0) {
      const auto step = std::min(time, kTickInterval);
      clock.Advance(step);
      engine().Tick();
      time -= step;
    }
  }

  // delivered + skipped == next - 1 - start, and nothing is owed.
  static void ExpectSettled(const Session::Position& account) {
    EXPECT_EQ(account.delivered + account.skipped, account.next - 1 - account.start);
    EXPECT_EQ(account.next, account.head + 1);
  }

  ShardMetrics& metrics(size_t shard = 0) { return metrics_->shard(shard); }
  const Metrics& all_metrics() { return *metrics_; }

 private:
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace crier

#endif  // CRIER_TESTS_SUPPORT_ENGINE_FIXTURE_H_
