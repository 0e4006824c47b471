// What an administrator's Disconnect tells its clients: the same on every transport and dialect.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/admin/admin_server.h"
#include "tests/parity/parity_fixture.h"
#include "tests/support/frames.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

struct Case {
  std::string name;
  std::string request;  // what it says besides whom it means, JSON
  std::string text;     // what clients are told
  std::string retry_after_ms = {};
  bool slot = false;  // each session has a time of its own
};

class DisconnectTest : public ParityTest, public ::testing::WithParamInterface<Case> {
 protected:
  ~DisconnectTest() override { admin_.reset(); }

  void Start() {
    StartServer();
    admin_ = std::make_unique<AdminServer>(&engine(), AdminOptions{});
    ASSERT_TRUE(admin_->Listen("127.0.0.1:0").ok());
    ASSERT_TRUE(admin_->Start().ok());
  }

  // The body of the answer.
  std::string Disconnect(const std::string& whom, const std::string& more) {
    const std::string body = "{" + whom + (more.empty() ? "" : "," + more) + "}";
    WebSocketClient client(admin_->addresses());
    client.SendRaw(
        "POST /crier.v1.Admin/Disconnect HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_TRUE(client.ReadResponseHeader());
    EXPECT_EQ(client.status(), 200);
    return client.ReadBody();
  }

 private:
  std::unique_ptr<AdminServer> admin_;
};

TEST_P(DisconnectTest, IsToldToAll) {
  Start();
  std::vector<std::unique_ptr<Peer>> peers;
  for (const Speech speech : kEverySpeech) peers.push_back(Connect(speech, "alice"));
  const std::unique_ptr<Peer> bob = Connect(Speech::kPlain, "bob");
  // So that all sessions stand.
  bob->Send(AsFrame(Direct("here", "alice")));
  for (const auto& peer : peers) peer->Next();

  EXPECT_NE(Disconnect(R"("userId":"alice")", GetParam().request).find(R"("disconnected":"4")"),
            std::string::npos);
  for (size_t i = 0; i < peers.size(); ++i) {
    SCOPED_TRACE(NameOf(kEverySpeech[i]));
    const Ending ending = peers[i]->WaitForEnd();
    EXPECT_EQ(ending.code, peers[i]->CodeOf(Info(Outcome::kDisconnectedByAdmin)));
    EXPECT_EQ(ending.outcome, "DISCONNECTED_BY_ADMIN");
    EXPECT_EQ(ending.text, GetParam().text);
    if (GetParam().slot) {
      EXPECT_NE(ending.retry_after_ms, "");
    } else {
      EXPECT_EQ(ending.retry_after_ms, GetParam().retry_after_ms);
    }
  }
  // Nobody else was meant.
  bob->Send(AsFrame(Direct("still", "bob")));
  EXPECT_EQ(bob->Next().message().body(), "still");
}

INSTANTIATE_TEST_SUITE_P(
    Advice, DisconnectTest,
    ::testing::Values(
        Case{.name = "None", .request = "", .text = "disconnected by an administrator"},
        Case{.name = "RetryNow",
             .request = R"("detail":"move over","advice":"RETRY_NOW")",
             .text = "move over",
             .retry_after_ms = "0"},
        Case{.name = "RetryAfter",
             .request = R"("detail":"maintenance","advice":"RETRY_AFTER","retryAfter":"30s")",
             .text = "maintenance",
             .retry_after_ms = "30000"},
        Case{.name = "RetryAfterItsOwnTime",
             .request = R"("detail":"maintenance","advice":"RETRY_AFTER")",
             .text = "maintenance",
             .slot = true}),
    [](const ::testing::TestParamInfo<Case>& tested) { return tested.param.name; });

}  // namespace
}  // namespace crier::testing
