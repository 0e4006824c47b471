// What a transport promises to the engine (server/engine/transport.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <vector>

#include "server/engine/transport.h"
#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

// Ends its session from Close, which it may not.
class HastyTransport final : public Transport {
 public:
  void Wake() override {
    while (!session->Peek(1000).empty()) session->Take(session->Peek(1000).front().size);
  }
  void Close(Outcome outcome, std::string_view) override { session->End(outcome); }
  void PauseReading() override {}
  void ResumeReading() override {}

  Session* session = nullptr;
};

class TransportContractTest : public EngineTest {};

#ifndef NDEBUG
TEST_F(TransportContractTest, CloseMayNotEndTheSession) {
  HastyTransport transport;
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.transport = &transport;
  transport.session = engine().shard(0).OpenSession(session);
  engine().RunUntilIdle();
  EXPECT_DEATH(transport.session->RequestClose(Outcome::kShutdown, {}), "transport.h");
  transport.session->End(Outcome::kOk);
}
#endif

// The shard goes over its sessions while it closes them.
TEST_F(TransportContractTest, SessionsThatAreClosedEndLater) {
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(Join());
  bool drained = false;
  engine().Drain(std::chrono::milliseconds(0), [&drained] { drained = true; });
  engine().RunUntilIdle();
  while (!drained) {
    Pass(kTickInterval);
    for (const auto& client : clients) {
      if (client->closed && !client->ended()) client->Leave(*client->closed);
    }
  }
  for (const auto& client : clients) EXPECT_EQ(client->closed, Outcome::kShutdown);
}

}  // namespace
}  // namespace crier
