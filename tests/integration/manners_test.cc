// How crierd behaves to people and scripts: what it prints, how it starts, how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/crierd_process.h"
#include "tests/support/loopback.h"

namespace crier::testing {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

// A file that lives as long as this object.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& text)
      : path_(::testing::TempDir() + "crier_manners_" + std::to_string(::getpid()) + "_" + name) {
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What crierd says when it refuses to start; checks that this is one line, and exit status 2.
std::string RefusalOf(const ChildProcess::Options& options) {
  ChildProcess crierd(CrierdPath(), options);
  EXPECT_EQ(crierd.WaitForExit(), 2);
  EXPECT_EQ(std::count(crierd.err().begin(), crierd.err().end(), '\n'), 1) << crierd.err();
  EXPECT_THAT(crierd.err(), AllOf(StartsWith("crierd: "), EndsWith("\n")));
  EXPECT_EQ(crierd.out(), "");
  return crierd.err();
}

std::string RefusalOf(const std::vector<std::string>& arguments) {
  return RefusalOf({.arguments = arguments, .environment = {}, .descriptors = {}});
}

// A WebSocket client that says nothing more after its upgrade, not even to a close frame.
UniqueFd OpenSilentWebSocket(const CrierdProcess& crierd) {
  UniqueFd fd = ConnectTo(crierd.http());
  SendAll(fd.get(), "GET /ws HTTP/1.1\r\nHost: " + crierd.http() +
                        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  EXPECT_THAT(ReadUntil(fd.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 101"));
  return fd;
}

TEST(StartTest, TheReadyLineNamesPortsThatAnswer) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  EXPECT_THAT(HttpGet(crierd.http(), "/healthcheck"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(HttpGet(crierd.http(), "/readyz"), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(ConnectTo(crierd.grpc()).valid());
  std::cout << "ready after " << crierd.start_time().count() / 1000.0 << " ms\n";
  // The promise is 200 ms; a loaded machine and a sanitizer's build get more.
  EXPECT_LT(crierd.start_time(), seconds(5));
}

TEST(StartTest, TheReadyTextSaysHowToTryBothTransports) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.WaitUntil(
      [&] { return std::count(crierd.out().begin(), crierd.out().end(), '\n') >= 3; }));
  EXPECT_THAT(crierd.out(), AllOf(HasSubstr("ws://" + crierd.http() + "/ws"),
                                  HasSubstr("grpcurl -plaintext " + crierd.grpc() + " list")));
}

TEST(StartTest, AWrongFlagIsNamed) {
  EXPECT_THAT(RefusalOf({"--shrads=2"}), AllOf(HasSubstr("--shrads"), HasSubstr("--help")));
}

TEST(StartTest, AWrongValueIsNamedWithWhatWouldBeRight) {
  EXPECT_THAT(RefusalOf({"--shards=many"}),
              AllOf(HasSubstr("--shards=many"), HasSubstr("whole number")));
  EXPECT_THAT(RefusalOf({"--shards=-1"}),
              AllOf(HasSubstr("--shards=-1"), HasSubstr("whole number")));
  EXPECT_THAT(RefusalOf({"--shards=1000"}),
              AllOf(HasSubstr("--shards=1000"), HasSubstr("from 0 to 256")));
  EXPECT_THAT(RefusalOf({"--ping_interval=25"}),
              AllOf(HasSubstr("--ping_interval=25"), HasSubstr("25s")));
  EXPECT_THAT(RefusalOf({"--max_body_bytes=64KB"}),
              AllOf(HasSubstr("--max_body_bytes=64KB"), HasSubstr("64KiB")));
  EXPECT_THAT(RefusalOf({"--slow_consumer_policy=drop"}),
              AllOf(HasSubstr("--slow_consumer_policy=drop"), HasSubstr("skip or close")));
  EXPECT_THAT(RefusalOf({"--http_listen=127.0.0.1"}),
              AllOf(HasSubstr("--http_listen=127.0.0.1"), HasSubstr("HOST:PORT")));
  EXPECT_THAT(RefusalOf({"--compression=perhaps"}),
              AllOf(HasSubstr("--compression=perhaps"), HasSubstr("true or false")));
  EXPECT_THAT(RefusalOf({"--drain_time"}), AllOf(HasSubstr("--drain_time"), HasSubstr("25s")));
  EXPECT_THAT(RefusalOf({"8000"}), AllOf(HasSubstr("'8000'"), HasSubstr("--FLAG=VALUE")));
}

TEST(StartTest, ATakenPortIsNamed) {
  CrierdProcess first;
  ASSERT_TRUE(first.ready());
  EXPECT_THAT(RefusalOf({"--http_listen=" + first.http(), "--grpc_listen=127.0.0.1:0"}),
              AllOf(HasSubstr("--http_listen"), HasSubstr(first.http()), HasSubstr("taken")));
  EXPECT_THAT(RefusalOf({"--http_listen=127.0.0.1:0", "--grpc_listen=" + first.grpc()}),
              AllOf(HasSubstr("--grpc_listen"), HasSubstr(first.grpc()), HasSubstr("taken")));
}

TEST(StartTest, AHostThatCannotBeFoundIsNamed) {
  EXPECT_THAT(RefusalOf({"--http_listen=no.such.host.invalid:1", "--grpc_listen=127.0.0.1:0"}),
              HasSubstr("no.such.host.invalid"));
}

TEST(StartTest, AFlagFileThatCannotBeReadIsNamed) {
  EXPECT_THAT(RefusalOf({"--flagfile=/no/such/file"}), HasSubstr("/no/such/file"));
}

TEST(StartTest, AWrongLineOfAFlagFileIsNamed) {
  const TemporaryFile wrong_value("value", "--shards=many\n");
  EXPECT_THAT(RefusalOf({"--flagfile=" + wrong_value.path()}), HasSubstr("--shards=many"));
  const TemporaryFile no_flag("line", "shards 2\n");
  EXPECT_THAT(RefusalOf({"--flagfile=" + no_flag.path()}),
              AllOf(HasSubstr(no_flag.path()), HasSubstr("shards 2")));
}

TEST(StartTest, AWrongValueInTheEnvironmentIsNamed) {
  EXPECT_THAT(RefusalOf({.arguments = {"--fromenv=shards"},
                         .environment = {{"FLAGS_shards", "many"}},
                         .descriptors = {}}),
              AllOf(HasSubstr("shards=many"), HasSubstr("whole number")));
}

TEST(StartTest, FlagsComeFromAFile) {
  const TemporaryFile file("flags", "# a comment\n--shards=3\n\n--enable_echo\n");
  CrierdProcess crierd({"--flagfile=" + file.path()});
  ASSERT_TRUE(crierd.ready());
  EXPECT_TRUE(crierd.WaitUntil([&] { return crierd.err().find("3 shards") != std::string::npos; }))
      << crierd.err();
}

TEST(StartTest, FlagsComeFromTheEnvironment) {
  CrierdProcess crierd({.arguments = {"--fromenv=shards"},
                        .environment = {{"FLAGS_shards", "3"}},
                        .descriptors = {}});
  ASSERT_TRUE(crierd.ready());
  EXPECT_TRUE(crierd.WaitUntil([&] { return crierd.err().find("3 shards") != std::string::npos; }))
      << crierd.err();
}

TEST(HelpTest, IsGroupedByTopic) {
  for (const char* flag : {"--help", "-h", "-help"}) {
    ChildProcess crierd(CrierdPath(), {.arguments = {flag}, .environment = {}, .descriptors = {}});
    EXPECT_EQ(crierd.WaitForExit(), 0);
    EXPECT_EQ(crierd.err(), "");
    for (const char* title : {"Network", "Limits", "Topic logs and slow consumers", "Times",
                              "Process", "Configuration"}) {
      EXPECT_THAT(crierd.out(), HasSubstr("\n" + std::string(title) + "\n  --"));
    }
  }
}

TEST(HelpTest, VersionIsOneLine) {
  ChildProcess crierd(CrierdPath(),
                      {.arguments = {"--version"}, .environment = {}, .descriptors = {}});
  EXPECT_EQ(crierd.WaitForExit(), 0);
  EXPECT_THAT(crierd.out(), MatchesRegex("crierd [0-9.]+\n"));
}

TEST(StopTest, ATermSignalEndsItWithStatusZero) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  crierd.Signal(SIGTERM);
  EXPECT_EQ(crierd.WaitForExit(), 0) << crierd.err();
  EXPECT_FALSE(ConnectTo(crierd.http()).valid());
}

TEST(StopTest, SoDoesCtrlC) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  crierd.Signal(SIGINT);
  EXPECT_EQ(crierd.WaitForExit(), 0) << crierd.err();
}

TEST(StopTest, SessionsAreToldBeforeItEnds) {
  CrierdProcess crierd({"--drain_time=2s"});
  ASSERT_TRUE(crierd.ready());
  const UniqueFd client = OpenSilentWebSocket(crierd);
  crierd.Signal(SIGTERM);
  // A close frame of two bytes and more, with the code 1001.
  const std::string received = ReadUntil(client.get(), "\x03\xe9");
  ASSERT_THAT(received, HasSubstr("\x03\xe9"));
  EXPECT_EQ(received[received.find("\x03\xe9") - 2], '\x88');
  EXPECT_EQ(crierd.WaitForExit(), 0) << crierd.err();
}

TEST(StopTest, AClientThatDoesNotLeaveDoesNotHoldItPastTheDrainTime) {
  CrierdProcess crierd({"--drain_time=1s"});
  ASSERT_TRUE(crierd.ready());
  const UniqueFd client = OpenSilentWebSocket(crierd);
  const auto begin = steady_clock::now();
  crierd.Signal(SIGTERM);
  EXPECT_EQ(crierd.WaitForExit(), 0) << crierd.err();
  const auto took = std::chrono::duration<double>(steady_clock::now() - begin);
  std::cout << "ended after " << took.count() << " s\n";
  // The promise is the drain time; a loaded machine gets more.
  EXPECT_LT(took, seconds(4));
}

TEST(StopTest, ASecondSignalEndsItAtOnce) {
  CrierdProcess crierd({"--drain_time=10m"});
  ASSERT_TRUE(crierd.ready());
  const UniqueFd client = OpenSilentWebSocket(crierd);
  crierd.Signal(SIGTERM);
  ASSERT_TRUE(crierd.WaitUntil([&] { return crierd.err().find("draining") != std::string::npos; }))
      << crierd.err();
  crierd.Signal(SIGTERM);
  EXPECT_EQ(crierd.WaitForExit(), 128 + SIGTERM);
}

}  // namespace
}  // namespace crier::testing
