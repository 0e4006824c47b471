// crierd with keys, as a child process: what it says at the start, keys that are changed while it
// runs, and that no token is in its log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/crierd_process.h"
#include "tests/support/tokens.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class KeysTest : public ::testing::Test {
 protected:
  ~KeysTest() override { std::filesystem::remove(path_); }

  // As configurations are changed: another file takes the name.
  void Write(std::string_view content) {
    std::ofstream(path_ + ".new", std::ios::binary) << content;
    std::filesystem::rename(path_ + ".new", path_);
  }
  std::vector<std::string> Flags() const { return {"--auth_keys=" + path_, "--log_level=trace"}; }

  static WebSocketClient ConnectWith(const CrierdProcess& crierd, const std::string& token) {
    return WebSocketClient(
        crierd.http(),
        WebSocketClient::Options{.target = "/ws?access_token=" + token, .headers = {}});
  }
  static std::string TokenOf(std::string_view secret) {
    return SignedToken(R"({"sub":"alice","exp":4000000000,"crier":{"subscribe":["**"]}})", "HS256",
                       secret);
  }
  static bool LogHas(CrierdProcess* crierd, std::string_view text, int times = 1) {
    return crierd->WaitUntil([&] {
      int count = 0;
      for (size_t at = 0; (at = crierd->err().find(text, at)) != std::string::npos; ++at) ++count;
      return count >= times;
    });
  }

  const std::string path_ = ::testing::TempDir() + "crier_keys_test_" + std::to_string(::getpid());
};

TEST_F(KeysTest, AFileThatIsNoGoodStopsTheStart) {
  Write("too short");
  ChildProcess crierd(CrierdPath(), {.arguments = Flags(), .environment = {}, .descriptors = {}});
  EXPECT_EQ(crierd.WaitForExit(), 2);
  EXPECT_EQ(crierd.err(),
            "crierd: --auth_keys: " + path_ +
                ": a secret has 9 bytes; it needs at least 32 for HS256, 48 for HS384, "
                "64 for HS512\n");
}

TEST_F(KeysTest, ChangedKeysCountAtOnceAndSessionsStay) {
  Write(kTestSecret);
  CrierdProcess crierd(Flags());
  ASSERT_TRUE(crierd.ready());
  WebSocketClient session = ConnectWith(crierd, TokenOf(kTestSecret));
  ASSERT_EQ(session.status(), 101);
  EXPECT_EQ(ConnectWith(crierd, TokenOf(kOtherSecret)).status(), 401);

  Write(kOtherSecret);
  ASSERT_TRUE(LogHas(&crierd, "the keys for tokens were read again"));
  EXPECT_EQ(ConnectWith(crierd, TokenOf(kOtherSecret)).status(), 101);
  EXPECT_EQ(ConnectWith(crierd, TokenOf(kTestSecret)).status(), 401);

  Write("bad");
  ASSERT_TRUE(LogHas(&crierd, "the 1 keys of before stay in use"));
  EXPECT_EQ(ConnectWith(crierd, TokenOf(kOtherSecret)).status(), 101);

  session.SendText(R"({"action_type":"direct","body":"still here"})");
  EXPECT_THAT(session.ReadText(), HasSubstr("still here"));
}

TEST_F(KeysTest, SighupReadsThemAgain) {
  Write(kTestSecret);
  CrierdProcess crierd(Flags());
  ASSERT_TRUE(crierd.ready());
  crierd.Signal(SIGHUP);
  EXPECT_TRUE(LogHas(&crierd, "the keys for tokens were read again: 1 of them"));
  crierd.Signal(SIGTERM);
  EXPECT_EQ(crierd.WaitForExit(), 0);
}

TEST_F(KeysTest, NoTokenIsInTheLog) {
  Write(kTestSecret);
  CrierdProcess crierd(Flags());
  ASSERT_TRUE(crierd.ready());
  const std::string good = TokenOf(kTestSecret);
  const std::string bad = TokenOf(kOtherSecret);
  for (const std::string& token : {good, bad}) {
    ConnectWith(crierd, token);
    // A page of another origin, which is logged.
    WebSocketClient(crierd.http(),
                    WebSocketClient::Options{.target = "/ws?access_token=" + token,
                                             .headers = {{"Origin", "https://evil.example"}}});
    WebSocketClient(crierd.http(), WebSocketClient::Options{
                                       .target = "/nothing?access_token=" + token, .headers = {}});
    WebSocketClient session(crierd.http(),
                            WebSocketClient::Options{.target = "/ws", .headers = {}});
    session.SendText(R"({"action_type":"auth","body":")" + token + "\"}");
    session.SendText(R"({"action_type":"auth","body":")" + token + "\",}");
  }
  crierd.Signal(SIGTERM);
  EXPECT_EQ(crierd.WaitForExit(), 0);
  EXPECT_THAT(crierd.err(), HasSubstr("evil.example"));
  for (const std::string& token : {good, bad}) {
    EXPECT_THAT(crierd.err() + crierd.out(), Not(HasSubstr(token)));
    EXPECT_THAT(crierd.err() + crierd.out(), Not(HasSubstr(token.substr(token.rfind('.')))));
  }
}

}  // namespace
}  // namespace crier::testing
