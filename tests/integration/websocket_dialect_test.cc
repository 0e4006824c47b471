// The plain dialect over real sockets (docs/protocol.md, "Plain dialect").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/websocket_fixture.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class WebSocketDialectTest : public WebSocketServerTest {};

TEST_F(WebSocketDialectTest, ADirectMessageComesBackStamped) {
  Start();
  WebSocketClient client = Connect();
  client.SendText(R"({"user_id":"7","action_type":"direct","body":"1713910000000"})");
  EXPECT_THAT(client.ReadText(),
              MatchesRegex(R"re(\{"user_id":"7","action_type":"direct","body":"1713910000000",)re"
                           R"re("data":"1[0-9]{18}"\})re"));
}

}  // namespace
}  // namespace crier::testing
