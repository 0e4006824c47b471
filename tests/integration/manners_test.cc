// crierd for people and scripts: its output, its start and its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

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
using ::testing::Not;
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

TEST(StartTest, TheLogSaysWhereTheConsoleIs) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  EXPECT_TRUE(crierd.WaitUntil([&] {
    return crierd.err().find("console: http://" + crierd.http() + "/\n") != std::string::npos;
  })) << crierd.err();
}

TEST(StartTest, TheLogSaysHowManyConnectionsTheLimitOfOpenFilesAllows) {
  // The soft limit is raised to the hard one.
  CrierdProcess crierd({.arguments = {"--shards=1"}, .environment = {}, .descriptors = 300});
  ASSERT_TRUE(crierd.ready());
  EXPECT_TRUE(crierd.WaitUntil([&] {
    return crierd.err().find("(the limit of open files is 300)") != std::string::npos;
  })) << crierd.err();
  CrierdProcess modest({"--max_sessions=7"});
  EXPECT_TRUE(modest.WaitUntil([&] {
    return modest.err().find("at most 7 connections (--max_sessions)") != std::string::npos;
  })) << modest.err();
  CrierdProcess greedy(
      {.arguments = {"--max_sessions=5000"}, .environment = {}, .descriptors = 300});
  EXPECT_TRUE(greedy.WaitUntil([&] {
    return greedy.err().find("--max_sessions=5000 is more than") != std::string::npos;
  })) << greedy.err();
}

TEST(StartTest, TheSoftLimitOfOpenFilesIsRaised) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = 128, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  CrierdProcess crierd;  // inherits it
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(crierd.ready());
  rlimit its{};
  ASSERT_EQ(::prlimit(crierd.pid(), RLIMIT_NOFILE, nullptr, &its), 0);
  EXPECT_EQ(its.rlim_cur, std::min<rlim_t>(before.rlim_max, 1 << 20));
}

TEST(StartTest, ATransportWithoutAnAddressIsOff) {
  CrierdProcess http({"--grpc_listen=", "--admin_listen="});
  ASSERT_TRUE(http.WaitUntil([&] { return http.out().find("/ws\n") != std::string::npos; }));
  EXPECT_THAT(http.out(),
              MatchesRegex("crierd [0-9.]+ ready http=127.0.0.1:[0-9]+\nWebSocket: .*"));
  EXPECT_THAT(http.out(), Not(HasSubstr("grpc")));
  EXPECT_THAT(HttpGet(http.http(), "/readyz"), StartsWith("HTTP/1.1 200"));
  http.Signal(SIGTERM);
  EXPECT_EQ(http.WaitForExit(), 0) << http.err();

  CrierdProcess grpc({"--http_listen=", "--admin_listen="});
  ASSERT_TRUE(grpc.WaitUntil([&] { return grpc.out().find(" list\n") != std::string::npos; }));
  EXPECT_THAT(grpc.out(), MatchesRegex("crierd [0-9.]+ ready grpc=127.0.0.1:[0-9]+\ngRPC: .*"));
  EXPECT_THAT(grpc.out(), Not(HasSubstr("WebSocket")));
  EXPECT_THAT(grpc.err(), Not(HasSubstr("console")));
  EXPECT_TRUE(ConnectTo(grpc.grpc()).valid());
  grpc.Signal(SIGTERM);
  EXPECT_EQ(grpc.WaitForExit(), 0) << grpc.err();
}

TEST(StartTest, FlagsComeFromAFile) {
  const TemporaryFile file("flags", "# a comment\r\n--shards=3\r\n\r\n--enable_echo\r\n");
  CrierdProcess crierd({"--flagfile=" + file.path()});
  ASSERT_TRUE(crierd.ready());
  EXPECT_TRUE(crierd.WaitUntil([&] { return crierd.err().find("3 shards") != std::string::npos; }))
      << crierd.err();
  const UniqueFd echo = ConnectTo(crierd.http());
  SendAll(echo.get(), "GET /echo HTTP/1.1\r\nHost: " + crierd.http() + "\r\n\r\n");
  EXPECT_THAT(ReadUntil(echo.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 426"));
}

TEST(StartTest, FlagsComeFromTheEnvironment) {
  CrierdProcess crierd({.arguments = {"--fromenv=shards"},
                        .environment = {{"FLAGS_shards", "3"}},
                        .descriptors = {}});
  ASSERT_TRUE(crierd.ready());
  EXPECT_TRUE(crierd.WaitUntil([&] { return crierd.err().find("3 shards") != std::string::npos; }))
      << crierd.err();
}

// As a page of another site does it. Returns the answer.
std::string UpgradeFrom(const CrierdProcess& crierd, const std::string& origin) {
  const UniqueFd fd = ConnectTo(crierd.http());
  SendAll(fd.get(), "GET /ws HTTP/1.1\r\nHost: " + crierd.http() +
                        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nOrigin: " +
                        origin + "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  return ReadUntil(fd.get(), "\r\n\r\n");
}

TEST(LogTest, ARefusedOriginIsNamedWithTheFlagThatAllowsIt) {
  const std::string origin = "https://other.example";
  std::string flag;
  {
    CrierdProcess crierd;
    ASSERT_TRUE(crierd.ready());
    EXPECT_THAT(UpgradeFrom(crierd, origin), StartsWith("HTTP/1.1 403"));
    ASSERT_TRUE(crierd.WaitUntil([&] { return crierd.err().find(origin) != std::string::npos; }));
    const size_t begin = crierd.err().find("--allowed_origins=");
    ASSERT_NE(begin, std::string::npos) << crierd.err();
    flag = crierd.err().substr(begin, crierd.err().find(' ', begin) - begin);
  }
  CrierdProcess crierd({flag});
  EXPECT_THAT(UpgradeFrom(crierd, origin), StartsWith("HTTP/1.1 101")) << flag;
}

TEST(LogTest, RefusedOriginsAreLoggedOnceASecondAndCounted) {
  CrierdProcess crierd({"--shards=2"});
  ASSERT_TRUE(crierd.ready());
  const auto begin = steady_clock::now();
  int refused = 0;
  // Until the line after the first, which tells how many came in between.
  while (crierd.err().find(" more refused") == std::string::npos &&
         steady_clock::now() < begin + seconds(20)) {
    EXPECT_THAT(UpgradeFrom(crierd, "https://other.example"), StartsWith("HTTP/1.1 403"));
    ++refused;
    crierd.WaitUntil([] { return false; }, std::chrono::milliseconds(1));
  }
  const auto took = steady_clock::now() - begin;
  const std::string& log = crierd.err();
  size_t lines = 0;
  for (size_t at = 0; (at = log.find("refused a WebSocket", at)) != std::string::npos; ++at)
    ++lines;
  EXPECT_GE(lines, 2u) << log;
  // The server's clock for this moves ten times a second.
  EXPECT_LE(lines, static_cast<size_t>(took / seconds(1)) + 2);
  // All but the first and those that are logged.
  const size_t count = log.find(" more refused");
  ASSERT_NE(count, std::string::npos) << log;
  const int told = std::stoi(log.substr(log.rfind('(', count) + 1));
  EXPECT_GE(told, 1);
  EXPECT_LE(told, refused - 2);
}

// With too few descriptors for all shards, whichever of them is the first to find none. A few
// more each time, until they are enough.
TEST(StartTest, IsReadyOnlyWhereEveryShardServes) {
  int named_shards = 0;
  for (rlim_t descriptors = 16;; ++descriptors) {
    ASSERT_LT(descriptors, 200u) << "never ready";
    ChildProcess crierd(CrierdPath(),
                        {.arguments = {"--http_listen=127.0.0.1:0", "--grpc_listen=127.0.0.1:0", "--admin_listen=",
                                       "--shards=4", "--log_level=off"},
                         .environment = {},
                         .descriptors = descriptors});
    if (crierd.WaitUntil([&] { return crierd.out().find(" ready ") != std::string::npos; })) break;
    EXPECT_EQ(crierd.WaitForExit(), 2) << descriptors << " descriptors: " << crierd.err();
    EXPECT_EQ(crierd.out(), "");
    EXPECT_EQ(std::count(crierd.err().begin(), crierd.err().end(), '\n'), 1) << crierd.err();
    EXPECT_THAT(crierd.err(), AllOf(StartsWith("crierd: "), HasSubstr("Too many open files")));
    if (crierd.err().find("cannot serve") == std::string::npos) continue;
    EXPECT_THAT(crierd.err(),
                ::testing::ContainsRegex("shard [0-3] cannot serve (WebSockets|gRPC): "
                                         "epoll_create1: "));
    ++named_shards;
  }
  EXPECT_GT(named_shards, 0) << "no limit let the shards begin and not serve";
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

TEST(StopTest, WhileItDrainsItSaysThatItIsNotReady) {
  CrierdProcess crierd({"--drain_time=10m"});
  ASSERT_TRUE(crierd.ready());
  const UniqueFd client = OpenSilentWebSocket(crierd);
  crierd.Signal(SIGTERM);
  ASSERT_TRUE(crierd.WaitUntil([&] { return crierd.err().find("draining") != std::string::npos; }))
      << crierd.err();
  EXPECT_TRUE(crierd.WaitUntil(
      [&] { return HttpGet(crierd.http(), "/readyz").starts_with("HTTP/1.1 503"); }));
  EXPECT_THAT(HttpGet(crierd.http(), "/healthcheck"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(HttpGet(crierd.http(), "/metrics"), StartsWith("HTTP/1.1 200"));
  crierd.Signal(SIGTERM);
  EXPECT_EQ(crierd.WaitForExit(), 128 + SIGTERM);
}

TEST(StopTest, ASighupDoesNotKill) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  crierd.Signal(SIGHUP);
  EXPECT_TRUE(crierd.WaitUntil([&] { return crierd.err().find("SIGHUP") != std::string::npos; }))
      << crierd.err();
  EXPECT_THAT(HttpGet(crierd.http(), "/healthcheck"), StartsWith("HTTP/1.1 200"));
  crierd.Signal(SIGTERM);
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
