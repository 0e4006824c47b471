// How the tool crier behaves to people and scripts, with and without a server.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/crierd_process.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// client/cli/commands.h.
constexpr int kOk = 0;
constexpr int kUsage = 2;
constexpr int kCannotConnect = 3;

std::unique_ptr<ChildProcess> Start(std::vector<std::string> arguments) {
  return std::make_unique<ChildProcess>(
      CRIER_PATH, ChildProcess::Options{
                      .arguments = std::move(arguments), .environment = {}, .descriptors = {}});
}

struct Result {
  int exit_code;
  std::string out;
  std::string err;
};

Result RunTool(std::vector<std::string> arguments) {
  const std::unique_ptr<ChildProcess> crier = Start(std::move(arguments));
  const int exit_code = crier->WaitForExit().value_or(-1);
  return {exit_code, crier->out(), crier->err()};
}

// A port on which nothing listens, and nothing will for the life of this object.
class ClosedPort {
 public:
  ClosedPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  const std::string& address() const { return address_; }

 private:
  UniqueFd fd_;
  std::string address_;
};

TEST(WithoutAServerTest, EveryCommandSaysSoAndHowToStartOne) {
  const ClosedPort port;
  const std::vector<std::vector<std::string>> commands = {{"send", "hello"},
                                                          {"listen"},
                                                          {"health"},
                                                          {"bench", "fanout", "--clients=2"},
                                                          {"bench", "storm", "--clients=2"}};
  for (const std::vector<std::string>& command : commands) {
    for (const bool grpc : {false, true}) {
      std::vector<std::string> arguments = command;
      arguments.push_back(grpc ? "--grpc=" + port.address()
                               : "--url=ws://" + port.address() + "/ws");
      SCOPED_TRACE(command[0] + " " + arguments.back());
      const Result result = RunTool(arguments);
      EXPECT_EQ(result.exit_code, kCannotConnect);
      const std::string flag =
          std::string(grpc ? "--grpc_listen=" : "--http_listen=") + port.address();
      EXPECT_THAT(result.err, AllOf(HasSubstr("nothing answers at " + port.address()),
                                    HasSubstr("Connection refused"), HasSubstr("crierd " + flag),
                                    HasSubstr("scripts/run " + flag)));
      EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    }
  }
}

TEST(WithoutAServerTest, AnAddressThatIsNoneIsAWrongUsage) {
  for (const char* address : {"50051", "localhost", "127.0.0.1:", "http://127.0.0.1:50051"}) {
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"send", "hello"}, std::vector<std::string>{"health"},
          std::vector<std::string>{"bench", "fanout"}}) {
      std::vector<std::string> arguments = command;
      arguments.push_back(std::string("--grpc=") + address);
      const Result result = RunTool(arguments);
      EXPECT_EQ(result.exit_code, kUsage) << address;
      EXPECT_THAT(result.err, AllOf(HasSubstr(address), HasSubstr("HOST:PORT")));
    }
  }
}

class SendTest : public ::testing::TestWithParam<std::string> {
 protected:
  // What says where the server is, in the transport of this test.
  std::string Server() const {
    return GetParam() == "grpc" ? "--grpc=" + crierd_.grpc()
                                : "--url=ws://" + crierd_.http() + "/ws";
  }
  std::string Send(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"send", Server()});
    const Result result = RunTool(arguments);
    EXPECT_EQ(result.exit_code, kOk) << result.err;
    return result.out;
  }

  // Three: a new session's shard is often another than the one that the common topic lives on.
  CrierdProcess crierd_{{"--shards=3"}};
};

TEST_P(SendTest, ListenTellsWhoIsThere) {
  ASSERT_TRUE(crierd_.ready());
  const auto listen = [this](std::vector<std::string> more) {
    more.insert(more.begin(), {"listen", Server(), "--user=ann", "--presence", "--count=1"});
    const Result result = RunTool(more);
    EXPECT_EQ(result.exit_code, kOk) << result.err;
    return result.out;
  };
  EXPECT_THAT(listen({"--topic=news"}), HasSubstr("1 session follows topic news: ann\n"));
  EXPECT_THAT(listen({}), HasSubstr("1 session follows the common topic: ann\n"));
}

TEST_P(SendTest, SaysHowManyRecipientsThereAreAndWhetherItIsOne) {
  ASSERT_TRUE(crierd_.ready());
  for (int i = 1; i <= 10; ++i) {
    EXPECT_EQ(Send({"hello"}),
              "sent as offset " + std::to_string(i) + " to 1 recipient, itself included\n");
  }
  EXPECT_EQ(Send({"--topic=news", "hello"}), "sent as offset 1 to 0 recipients\n");
  EXPECT_EQ(Send({"--user=ann", "--to=ann", "hello"}), "sent to 1 recipient, itself included\n");

  const std::unique_ptr<ChildProcess> first =
      Start({"listen", "--url=ws://" + crierd_.http() + "/ws", "--user=ann", "--topic=news"});
  const std::unique_ptr<ChildProcess> second =
      Start({"listen", "--grpc=" + crierd_.grpc(), "--user=ann", "--topic=news"});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string answer;
  while (!answer.ends_with(" to 2 recipients\n") && std::chrono::steady_clock::now() < deadline) {
    answer = Send({"--topic=news", "are you there?"});
  }
  EXPECT_THAT(Send({"hello"}), EndsWith(" to 3 recipients, itself included\n"));
  EXPECT_THAT(Send({"--topic=news", "hello"}), EndsWith(" to 2 recipients\n"));
  EXPECT_THAT(Send({"--user=ann", "--to=ann", "hello"}), "sent to 3 recipients, itself included\n");
  EXPECT_THAT(Send({"--user=bob", "--to=ann", "hello"}), "sent to 2 recipients\n");
  EXPECT_THAT(Send({"--json", "hello"}), HasSubstr("\"recipients\":\"3\""));
}

TEST_P(SendTest, AnIdIsRememberedForAUser) {
  ASSERT_TRUE(crierd_.ready());
  EXPECT_THAT(Send({"--user=ann", "--id=m1", "hello"}), Not(HasSubstr("duplicate")));
  EXPECT_THAT(Send({"--user=ann", "--id=m1", "hello"}), HasSubstr("duplicate"));
  const Result result = RunTool({"send", Server(), "--id=m1", "hello"});
  EXPECT_EQ(result.exit_code, kUsage);
  EXPECT_THAT(result.err, AllOf(HasSubstr("--id needs --user"), HasSubstr("only for a user")));
  EXPECT_THAT(result.out, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Transports, SendTest, ::testing::Values("websocket", "grpc"),
                         [](const auto& transport) { return transport.param; });

// --- Administration.

TEST(AdminCommandTest, CallsAMethodAndPrintsJson) {
  CrierdProcess crierd({"--max_topics=77"});
  ASSERT_TRUE(crierd.ready());
  const std::string server = "--grpc=" + crierd.admin();
  const Result info = RunTool({"admin", server, "get-server-info"});
  EXPECT_EQ(info.exit_code, kOk) << info.err;
  EXPECT_THAT(info.out, HasSubstr("\"max_topics\": \"77\""));
  const Result published =
      RunTool({"admin", server, "Publish",
               R"({"message": {"action_type": "BROADCAST", "topic": "news", "body": "hello"}})"});
  EXPECT_EQ(published.exit_code, kOk) << published.err;
  EXPECT_THAT(published.out, HasSubstr("\"topic\": \"news\""));

  const Result refused = RunTool({"admin", server, "Disconnect"});
  EXPECT_EQ(refused.exit_code, kUsage);
  EXPECT_THAT(refused.err, HasSubstr("say which sessions"));
  const Result gone = RunTool({"admin", server, "GetSession", R"({"session_id": "99"})"});
  EXPECT_THAT(gone.err, HasSubstr("there is no such session"));
  EXPECT_EQ(RunTool({"admin", server, "NoSuch"}).exit_code, kUsage);
  EXPECT_THAT(RunTool({"admin", server, "Drain", "{x"}).err, HasSubstr("crier.v1.DrainRequest"));
}

TEST(AdminCommandTest, TopShowsNumbersAndTopics) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  const std::string server = "--grpc=" + crierd.admin();
  ASSERT_EQ(
      RunTool({"send", "--url=ws://" + crierd.http() + "/ws", "--topic=news", "hello"}).exit_code,
      kOk);
  const Result top = RunTool({"top", server, "--once", "--interval=100ms"});
  EXPECT_EQ(top.exit_code, kOk) << top.err;
  EXPECT_THAT(top.out, AllOf(HasSubstr("sessions 0 (0 WebSocket, 0 gRPC), 0 lagging"),
                             HasSubstr("TOPIC"), HasSubstr("news"), Not(HasSubstr("\033"))));
}

TEST(AdminCommandTest, WithoutAServerItSaysWhichFlagOpensOne) {
  const ClosedPort port;
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"admin", "GetServerInfo"}, std::vector<std::string>{"top"}}) {
    std::vector<std::string> arguments = command;
    arguments.push_back("--grpc=" + port.address());
    const Result result = RunTool(arguments);
    EXPECT_EQ(result.exit_code, kCannotConnect);
    EXPECT_THAT(result.err, HasSubstr("crierd --admin_listen=" + port.address()));
  }
}

}  // namespace
}  // namespace crier::testing
