#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "server/byte_size.h"
#include "server/command_line.h"

namespace crier {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OptionsTest : public ::testing::Test {
 protected:
  static void Set(const std::string& flag, const std::string& value) {
    std::string error;
    absl::CommandLineFlag* found = absl::FindCommandLineFlag(flag);
    ASSERT_NE(found, nullptr) << flag;
    ASSERT_TRUE(found->ParseFrom(value, &error)) << flag << ": " << error;
  }

  static ServerOptions Read() {
    const absl::StatusOr<ServerOptions> options = ReadOptions();
    EXPECT_TRUE(options.ok()) << options.status();
    return options.ok() ? *options : ServerOptions();
  }

  // What is said of a value; and that it is one line which names the flag and the value.
  static std::string ErrorOf(const std::string& flag, const std::string& value) {
    const absl::FlagSaver saver;
    Set(flag, value);
    const absl::StatusOr<ServerOptions> options = ReadOptions();
    EXPECT_FALSE(options.ok()) << flag << "=" << value;
    const std::string message(options.status().message());
    EXPECT_THAT(message, AllOf(HasSubstr("--" + flag + "=" + value), Not(HasSubstr("\n"))));
    return message;
  }

 private:
  const absl::FlagSaver saver_;
};

TEST_F(OptionsTest, KeysAndPermissions) {
  EXPECT_TRUE(Read().auth.keys.empty());
  EXPECT_FALSE(Read().auth.rules.anonymous.has_value());
  Set("auth_keys", "one.pem,two.txt");
  Set("auth_jwks", "set.json");
  Set("auth_issuer", "https://id.example");
  Set("auth_leeway", "1m");
  Set("auth_default", "publish=a direct");
  Set("anonymous", "subscribe=");
  const AuthOptions auth = Read().auth;
  EXPECT_THAT(auth.keys.keys, ElementsAre("one.pem", "two.txt"));
  EXPECT_EQ(auth.keys.jwks, "set.json");
  EXPECT_EQ(auth.rules.issuer, "https://id.example");
  EXPECT_EQ(auth.rules.leeway, 60);
  EXPECT_TRUE(auth.rules.without_claims.direct);
  EXPECT_TRUE(auth.rules.without_claims.MayPublish("a", ""));
  ASSERT_TRUE(auth.rules.anonymous.has_value());
  EXPECT_TRUE(auth.rules.anonymous->MaySubscribe("", ""));
  EXPECT_THAT(ErrorOf("auth_default", "direkt"), HasSubstr("\"direkt\" is no permission"));
  EXPECT_THAT(ErrorOf("anonymous", "publish=a*"), HasSubstr("within a segment"));
  EXPECT_THAT(ErrorOf("auth_keys", "a,,b"), HasSubstr("empty name"));
}

TEST_F(OptionsTest, PermissionsMeanNothingWithoutKeys) {
  for (const auto& [flag, value] :
       {std::pair("auth_issuer", "x"), std::pair("auth_audience", "x"),
        std::pair("auth_default", "all"), std::pair("anonymous", "all")}) {
    EXPECT_THAT(ErrorOf(flag, value), HasSubstr("without --auth_keys or --auth_jwks"));
  }
}

TEST_F(OptionsTest, TheDefaultsAreThoseOfTheProtocol) {
  const ServerOptions options = Read();
  EXPECT_EQ(options.http_listen, "127.0.0.1:8000");
  EXPECT_EQ(options.grpc_listen, "127.0.0.1:50051");
  EXPECT_EQ(options.admin_listen, "127.0.0.1:50052");
  EXPECT_EQ(options.connections.total, 0u);
  EXPECT_EQ(options.connections.per_address, 0u);
  EXPECT_EQ(options.drain_time, seconds(10));
  EXPECT_EQ(options.engine.shards, std::max(1u, std::thread::hardware_concurrency()));
  EXPECT_EQ(options.engine.max_body_bytes, 64u << 10);
  EXPECT_EQ(options.engine.topic_log.bytes, 1u << 20);
  EXPECT_EQ(options.engine.topic_log.events, 10'000u);
  EXPECT_EQ(options.engine.topic_log.age, minutes(5));
  EXPECT_EQ(options.engine.memory_budget, 256u << 20);
  EXPECT_EQ(options.engine.mailbox.bytes, 256u << 10);
  EXPECT_EQ(options.engine.slow_consumer_policy, v1::SKIP);
  EXPECT_EQ(options.engine.max_topics_per_session, 128u);
  EXPECT_EQ(options.engine.max_messages_per_second, 0u);
  EXPECT_EQ(options.engine.max_bytes_per_second, 0u);
  EXPECT_EQ(options.engine.max_sessions_per_user, 0u);
  EXPECT_EQ(options.websocket.handshake_timeout, seconds(10));
  EXPECT_EQ(options.websocket.ping_interval, seconds(25));
  EXPECT_EQ(options.websocket.ping_timeout, seconds(10));
  EXPECT_EQ(options.websocket.idle_timeout, seconds(35));
  EXPECT_EQ(options.websocket.allowed_origins.text(), "");
  EXPECT_TRUE(options.websocket.allowed_hosts.empty());
  EXPECT_TRUE(options.connections.trusted_proxies.empty());
  EXPECT_FALSE(options.websocket.enable_echo);
  EXPECT_FALSE(options.websocket.compression);
  EXPECT_EQ(options.grpc.max_streams_per_connection, 1024);
  EXPECT_EQ(options.grpc.keepalive_time, seconds(25));
  EXPECT_EQ(options.grpc.keepalive_timeout, seconds(10));
}

// Two places give defaults: the flags, and the structs that parts are tested with.
TEST_F(OptionsTest, FlagsAndStructsAgreeAboutTheDefaults) {
  const ServerOptions options = Read();
  const EngineOptions engine;
  const WebSocketOptions websocket;
  const GrpcOptions grpc;
  EXPECT_EQ(options.engine.max_errors, engine.max_errors);
  EXPECT_EQ(options.engine.topic_log.events, engine.topic_log.events);
  EXPECT_EQ(options.engine.mailbox.events, engine.mailbox.events);
  EXPECT_EQ(options.engine.memory_budget, engine.memory_budget);
  EXPECT_EQ(options.websocket.max_body_bytes, websocket.max_body_bytes);
  EXPECT_EQ(options.websocket.max_message_bytes, websocket.max_message_bytes);
  EXPECT_EQ(options.websocket.idle_timeout, websocket.idle_timeout);
  EXPECT_EQ(options.grpc.max_receive_bytes, grpc.max_receive_bytes);
  EXPECT_EQ(options.grpc.max_metadata_bytes, grpc.max_metadata_bytes);
  EXPECT_EQ(options.grpc.heartbeat_interval, grpc.heartbeat_interval);
  EXPECT_EQ(options.grpc.max_connection_age, grpc.max_connection_age);
  EXPECT_EQ(options.grpc.max_connection_age_grace, grpc.max_connection_age_grace);
}

TEST_F(OptionsTest, FlagsReachThePartsTheyAreFor) {
  Set("http_listen", "127.0.0.1:0,[::1]:0");
  Set("shards", "3");
  Set("max_body_bytes", "1MiB");
  Set("topic_log_bytes", "4MiB");
  Set("mailbox_bytes", "2MiB");
  Set("topic_log_age", "90s");
  Set("slow_consumer_policy", "close");
  Set("max_sessions", "7");
  Set("max_sessions_per_address", "5");
  Set("allowed_origins", "https://example.org, http://localhost:3000");
  Set("allowed_hosts", "*.example.org");
  Set("trusted_proxies", "127.0.0.1, 10.0.0.0/8");
  Set("ping_interval", "1500ms");
  Set("ping_timeout", "500ms");
  Set("compression", "true");
  Set("log_level", "warning");
  const ServerOptions options = Read();
  EXPECT_EQ(options.http_listen, "127.0.0.1:0,[::1]:0");
  EXPECT_EQ(options.engine.shards, 3u);
  EXPECT_EQ(options.engine.max_body_bytes, 1u << 20);
  EXPECT_EQ(options.websocket.max_body_bytes, 1u << 20);
  EXPECT_GE(options.websocket.max_message_bytes, 2u << 20);
  EXPECT_GE(options.grpc.max_receive_bytes, 2u << 20);
  EXPECT_EQ(options.engine.topic_log.age, seconds(90));
  EXPECT_EQ(options.engine.slow_consumer_policy, v1::CLOSE);
  EXPECT_EQ(options.connections.total, 7u);
  EXPECT_EQ(options.connections.per_address, 5u);
  EXPECT_EQ(options.websocket.allowed_origins.text(), "https://example.org,http://localhost:3000");
  EXPECT_TRUE(options.websocket.allowed_hosts.Allows("chat.example.org"));
  EXPECT_TRUE(options.connections.trusted_proxies.Contains("10.1.2.3"));
  EXPECT_EQ(options.websocket.ping_interval, milliseconds(1500));
  EXPECT_EQ(options.grpc.keepalive_time, milliseconds(1500));
  EXPECT_EQ(options.grpc.keepalive_timeout, milliseconds(500));
  EXPECT_TRUE(options.websocket.compression);
  EXPECT_EQ(options.log_level, spdlog::level::warn);
}

TEST_F(OptionsTest, AWrongValueIsNamedWithWhatWouldBeRight) {
  EXPECT_THAT(ErrorOf("http_listen", "127.0.0.1"), HasSubstr("HOST:PORT"));
  EXPECT_THAT(ErrorOf("grpc_listen", "127.0.0.1:x"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(ErrorOf("shards", "257"), HasSubstr("from 0 to 256"));
  EXPECT_THAT(ErrorOf("max_body_bytes", "0"), HasSubstr("from 1 to 16MiB"));
  EXPECT_THAT(ErrorOf("max_errors", "0"), HasSubstr("from 1"));
  EXPECT_THAT(ErrorOf("max_bytes_per_second", "2GiB"), HasSubstr("from 0 to 1GiB"));
  EXPECT_THAT(ErrorOf("max_sessions_per_user", "-1"), HasSubstr("from 0 to 1048576"));
  EXPECT_THAT(ErrorOf("shards", "-1"), HasSubstr("from 0 to 256"));
  EXPECT_THAT(ErrorOf("max_sessions", "99999999999"), HasSubstr("from 0 to 1048576"));
  EXPECT_THAT(ErrorOf("topic_log_age", "0"), HasSubstr("from 1s to 24h"));
  EXPECT_THAT(ErrorOf("topic_log_age", "inf"), HasSubstr("from 1s to 24h"));
  EXPECT_THAT(ErrorOf("slow_consumer_policy", "drop"), HasSubstr("skip or close"));
  EXPECT_THAT(ErrorOf("ping_interval", "0"), HasSubstr("from 10ms"));
  EXPECT_THAT(ErrorOf("drain_time", "-1s"), HasSubstr("from 0 to 1h"));
  EXPECT_THAT(ErrorOf("allowed_origins", "example.org"), HasSubstr("SCHEME://HOST"));
  EXPECT_THAT(ErrorOf("allowed_origins", "https://example.org/"), HasSubstr("has a path"));
  EXPECT_THAT(ErrorOf("allowed_hosts", "https://example.org"), HasSubstr("only the name"));
  EXPECT_THAT(ErrorOf("trusted_proxies", "10.0.0.0/33"), HasSubstr("10.0.0.0/8"));
  EXPECT_THAT(ErrorOf("proxy_protocol", "true"), HasSubstr("--trusted_proxies="));
  EXPECT_THAT(ErrorOf("log_level", "loud"), HasSubstr("warning"));
  EXPECT_THAT(ErrorOf("grpc_max_streams_per_connection", "0"), HasSubstr("from 1"));
}

TEST_F(OptionsTest, TotalLogBytesIsAnOlderNameOfTheMemoryBudget) {
  Set("total_log_bytes", "64MiB");
  EXPECT_EQ(ReadOptions()->engine.memory_budget, 64u << 20);
}

TEST_F(OptionsTest, FlagsThatDoNotFitTogetherAreBothNamedWithTheOneThatWasGiven) {
  EXPECT_THAT(ErrorOf("topic_log_bytes", "64KiB"),
              AllOf(StartsWith("--topic_log_bytes=64KiB does not fit "),
                    HasSubstr("--max_body_bytes=64KiB (its default)"), HasSubstr("twice")));
  EXPECT_THAT(ErrorOf("mailbox_bytes", "64KiB"),
              AllOf(StartsWith("--mailbox_bytes=64KiB does not fit "),
                    HasSubstr("--max_body_bytes=64KiB (its default)")));
  EXPECT_THAT(ErrorOf("max_body_bytes", "1MiB"),
              AllOf(StartsWith("--max_body_bytes=1MiB does not fit "),
                    HasSubstr("--topic_log_bytes=1MiB (its default)")));
  EXPECT_THAT(ErrorOf("memory_budget", "512KiB"),
              HasSubstr("--topic_log_bytes=1MiB (its default)"));
  EXPECT_THAT(ErrorOf("topic_log_bytes", "512MiB"),
              HasSubstr("--memory_budget=256MiB (its default)"));
  EXPECT_THAT(ErrorOf("idle_timeout", "20s"),
              AllOf(HasSubstr("--ping_interval=25s (its default)"), HasSubstr("longer")));
  EXPECT_THAT(ErrorOf("ping_interval", "35s"),
              AllOf(StartsWith("--ping_interval=35s does not fit "),
                    HasSubstr("--idle_timeout=35s (its default)")));
  Set("ping_interval", "30s");
  EXPECT_THAT(ErrorOf("idle_timeout", "20s"), HasSubstr("--ping_interval=30s (given too)"));
}

// Also where its value is the default one.
TEST_F(OptionsTest, AnErrorSaysWhereTheFlagWasGiven) {
  Set("shards", "1000");
  const auto error = [](const FlagOrigins& origins) {
    return std::string(ReadOptions(origins).status().message());
  };
  EXPECT_THAT(error({{"shards", "crier.flags:3"}}), StartsWith("crier.flags:3: --shards=1000: "));
  EXPECT_THAT(error({{"shards", ""}}), StartsWith("--shards=1000: "));
  Set("shards", "1");
  Set("max_body_bytes", "1MiB");
  EXPECT_THAT(error({{"max_body_bytes", ""}, {"topic_log_bytes", "crier.flags:1"}}),
              AllOf(StartsWith("crier.flags:1: --topic_log_bytes=1MiB does not fit "),
                    HasSubstr("--max_body_bytes=1MiB (given too)")));
}

TEST_F(OptionsTest, ATransportWithoutAnAddressIsOff) {
  Set("grpc_listen", " ");
  EXPECT_EQ(Read().grpc_listen, "");
  Set("http_listen", "");
  const std::string error(ReadOptions().status().message());
  EXPECT_THAT(error, AllOf(HasSubstr("--http_listen"), HasSubstr("--grpc_listen"),
                           HasSubstr("both empty")));
  Set("grpc_listen", "127.0.0.1:0");
  EXPECT_EQ(Read().http_listen, "");
}

TEST_F(OptionsTest, EveryExampleInHelpIsAcceptedByItsFlag) {
  // "write HOST:PORT, e.g. 127.0.0.1:8000,[::1]:8000": what stands after "e.g.".
  for (const FlagGroup& group : FlagGroups()) {
    for (const FlagHelp& help : group.flags) {
      const std::string example(help.example);
      const size_t begin = example.find("e.g. ");
      if (begin == std::string::npos) continue;
      const std::string value = example.substr(begin + 5, example.find(", ", begin) - begin - 5);
      const absl::FlagSaver saver;
      Set(std::string(help.name), value.substr(0, value.find(" or ")));
      EXPECT_NE(absl::FindCommandLineFlag(std::string(help.name))->CurrentValue(), "");
    }
  }
}

TEST_F(OptionsTest, HelpShowsEveryFlagOfTheServerOnceWithItsDefault) {
  const std::string help = HelpText();
  std::set<std::string> shown;
  for (const FlagGroup& group : FlagGroups()) {
    EXPECT_THAT(help, HasSubstr("\n" + std::string(group.title) + "\n"));
    for (const FlagHelp& flag : group.flags) {
      EXPECT_TRUE(shown.insert(std::string(flag.name)).second) << flag.name;
      EXPECT_THAT(help, HasSubstr("\n  --" + std::string(flag.name)));
    }
  }
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    const std::string file = flag->Filename();
    if (!absl::EndsWith(file, "options.cc") && !absl::EndsWith(file, "_flags.cc")) continue;
    EXPECT_EQ(shown.erase(std::string(name)), 1u) << name << " belongs to no group";
  }
  EXPECT_TRUE(shown.empty()) << *shown.begin() << " is no flag";
  EXPECT_THAT(help, HasSubstr("--max_body_bytes=SIZE  (default: 64KiB)"));
  EXPECT_THAT(help, HasSubstr("--ping_interval=TIME  (default: 25s)"));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(ByteSizeTest, ReadsAndWritesUnits) {
  const auto parse = [](const std::string& text) {
    ByteSize size;
    std::string error;
    return AbslParseFlag(text, &size, &error) ? std::to_string(size.bytes) : error;
  };
  EXPECT_EQ(parse("0"), "0");
  EXPECT_EQ(parse("65536"), "65536");
  EXPECT_EQ(parse("64KiB"), "65536");
  EXPECT_EQ(parse("1MiB"), "1048576");
  EXPECT_EQ(parse("2GiB"), "2147483648");
  for (const char* wrong : {"", "KiB", "-1", "1.5MiB", "64KB", "64 KiB", "99999999999GiB", "1e6"}) {
    EXPECT_THAT(parse(wrong), HasSubstr("64KiB")) << wrong;
  }
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, uint64_t{1} << 10,
                               uint64_t{3} << 20, uint64_t{5} << 30}) {
    ByteSize size;
    std::string error;
    ASSERT_TRUE(AbslParseFlag(AbslUnparseFlag({bytes}), &size, &error));
    EXPECT_EQ(size.bytes, bytes);
  }
}

}  // namespace
}  // namespace crier
