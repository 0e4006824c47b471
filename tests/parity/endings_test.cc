// Every outcome that can end a session, on both transports: the code of the table, and never a
// close without a close frame (1006) or the status UNKNOWN.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/parity/parity_fixture.h"
#include "tests/support/grpc_client.h"

namespace crier::testing {
namespace {

class EndingsTest : public ParityTest, public ::testing::WithParamInterface<OutcomeInfo> {};

TEST_P(EndingsTest, AreTheTables) {
  const OutcomeInfo& info = GetParam();
  StartServer();
  const auto websocket = Connect(TransportKind::kWebSocket, "alice");
  const auto grpc = Connect(TransportKind::kGrpc, "alice");
  // So that both sessions stand.
  grpc->Send(AsFrame(Direct("here", "alice")));
  grpc->Next();
  websocket->Next();
  OnEveryShard([&](Shard& shard) {
    for (uint64_t id = 1; id <= 2; ++id) {
      if (Session* session = shard.FindSession(id)) session->RequestClose(info.outcome, {});
    }
  });
  for (Peer* peer : {websocket.get(), grpc.get()}) {
    const Ending ending = peer->WaitForEnd();
    EXPECT_EQ(ending.code, peer->CodeOf(info));
    if (peer == grpc.get() && info.outcome != Outcome::kOk) {
      EXPECT_EQ(ending.outcome, info.name);
    }
  }
}

std::vector<OutcomeInfo> Endings() {
  std::vector<OutcomeInfo> endings;
  for (const OutcomeInfo& info : AllOutcomes()) {
    if (info.repeated_close_code != 0) endings.push_back(info);
  }
  return endings;
}

INSTANTIATE_TEST_SUITE_P(Outcomes, EndingsTest, ::testing::ValuesIn(Endings()),
                         [](const ::testing::TestParamInfo<OutcomeInfo>& ending) {
                           return std::string(ending.param.name);
                         });

TEST_F(ParityTest, DrainEndsBothWithShutdown) {
  StartServer();
  const auto websocket = Connect(TransportKind::kWebSocket, "alice");
  const auto grpc = Connect(TransportKind::kGrpc, "bob");
  engine().Drain(std::chrono::milliseconds(100), [] {});
  const Ending of_grpc = grpc->WaitForEnd();
  EXPECT_EQ(of_grpc.outcome, "SHUTDOWN");
  EXPECT_EQ(of_grpc.code, grpc->CodeOf(Info(Outcome::kShutdown)));
  EXPECT_EQ(websocket->WaitForEnd().code, websocket->CodeOf(Info(Outcome::kShutdown)));
}

}  // namespace
}  // namespace crier::testing
