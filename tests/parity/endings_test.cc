// Every outcome that can end a session, on every transport and dialect: the code of the table, and
// never a close without a close frame (1006) or the status UNKNOWN.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/parity/parity_fixture.h"
#include "tests/support/frames.h"

namespace crier::testing {
namespace {

class EndingsTest : public ParityTest, public ::testing::WithParamInterface<OutcomeInfo> {};

TEST_P(EndingsTest, AreTheTables) {
  const OutcomeInfo& info = GetParam();
  StartServer();
  std::vector<std::unique_ptr<Peer>> peers;
  for (const Speech speech : kEverySpeech) peers.push_back(Connect(speech, "alice"));
  // So that all sessions stand.
  peers[0]->Send(AsFrame(Direct("here", "alice")));
  for (const auto& peer : peers) peer->Next();
  OnEveryShard([&](Shard& shard) {
    for (uint64_t id = 1; id <= peers.size(); ++id) {
      if (Session* session = shard.sessions().Find(id)) session->RequestClose(info.outcome, {});
    }
  });
  for (size_t i = 0; i < peers.size(); ++i) {
    const Ending ending = peers[i]->WaitForEnd();
    EXPECT_EQ(ending.code, peers[i]->CodeOf(info)) << i;
    if (kEverySpeech[i] == Speech::kGrpc && info.outcome != Outcome::kOk) {
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

TEST_F(ParityTest, DrainEndsAllWithShutdown) {
  StartServer();
  std::vector<std::unique_ptr<Peer>> peers;
  for (const Speech speech : kEverySpeech) peers.push_back(Connect(speech, "alice"));
  engine().Drain(std::chrono::milliseconds(100), [] {});
  for (const auto& peer : peers) {
    EXPECT_EQ(peer->WaitForEnd().code, peer->CodeOf(Info(Outcome::kShutdown)));
  }
}

}  // namespace
}  // namespace crier::testing
