#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/address.h"
#include "client/bench/workload.h"
#include "client/cli/option_parser.h"

namespace crier::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class OptionParserTest : public testing::Test {
 protected:
  OptionParserTest() : parser_("crier test", "A test.") {
    parser_.Group("Things:");
    parser_.Add("name", &name_, "NAME", "a name");
    parser_.Add("clients", &clients_, "N", "how many", 1, 1000);
    parser_.Add("rate", &rate_, "R", "how fast", 0, 10);
    parser_.Add("duration", &duration_, "TIME", "how long");
    parser_.Add("slow_rate", &clients_, "N", "dashes and underscores");
    parser_.Add("json", &json_, "for programs");
    parser_.Add("name-file", &file_, "FILE", "a name with a dash");
    parser_.AddChoice("transport", &transport_, {"ws", "grpc"}, "by what");
  }

  std::string ErrorOf(const std::vector<std::string>& arguments) {
    return std::string(parser_.Parse(arguments).status().message());
  }

  std::string name_ = "nobody";
  std::string file_;
  uint64_t clients_ = 5;
  double rate_ = 1;
  absl::Duration duration_ = absl::Seconds(10);
  bool json_ = false;
  std::string transport_ = "ws";
  OptionParser parser_;
};

TEST_F(OptionParserTest, TakesBothFormsOfAValue) {
  EXPECT_THAT(parser_.Parse({"--name=a=b", "first", "--clients", "7", "--json", "second"}).value(),
              ElementsAre("first", "second"));
  EXPECT_EQ(name_, "a=b");
  EXPECT_EQ(clients_, 7u);
  EXPECT_TRUE(json_);
  EXPECT_TRUE(parser_.given("name"));
  EXPECT_FALSE(parser_.given("rate"));
}

TEST_F(OptionParserTest, ADoubleDashEndsTheOptions) {
  EXPECT_THAT(parser_.Parse({"--", "--name", "-x"}).value(), ElementsAre("--name", "-x"));
  EXPECT_EQ(name_, "nobody");
}

TEST_F(OptionParserTest, DashesAndUnderscoresAreTheSame) {
  EXPECT_TRUE(parser_.Parse({"--slow-rate=3"}).ok());
  EXPECT_EQ(clients_, 3u);
  EXPECT_TRUE(parser_.Parse({"--name-file=a"}).ok());
  EXPECT_EQ(file_, "a");
  EXPECT_TRUE(parser_.Parse({"--name_file=b"}).ok());
  EXPECT_EQ(file_, "b");
  EXPECT_TRUE(parser_.given("name-file"));
  EXPECT_THAT(ErrorOf({"--name-fil"}), HasSubstr("--name-file"));
}

TEST_F(OptionParserTest, ReadsDurations) {
  EXPECT_TRUE(parser_.Parse({"--duration=500ms"}).ok());
  EXPECT_EQ(duration_, absl::Milliseconds(500));
  EXPECT_TRUE(parser_.Parse({"--duration=2.5"}).ok());
  EXPECT_EQ(duration_, absl::Milliseconds(2500));
  EXPECT_EQ(ErrorOf({"--duration=soon"}),
            "--duration=soon: must be a duration such as 500ms, 30s or 2m");
  EXPECT_FALSE(parser_.Parse({"--duration=-1"}).ok());
  EXPECT_FALSE(parser_.Parse({"--duration=inf"}).ok());
}

TEST_F(OptionParserTest, SaysWhatIsWrongAndWhatWouldBeRight) {
  EXPECT_EQ(ErrorOf({"--cleints=3"}), "unknown option --cleints; did you mean --clients?");
  EXPECT_EQ(ErrorOf({"--zzzzzzzz"}), "unknown option --zzzzzzzz; --help lists them");
  EXPECT_EQ(ErrorOf({"--clients=0"}), "--clients=0: must be a whole number from 1 to 1000");
  EXPECT_EQ(ErrorOf({"--clients=3x"}), "--clients=3x: must be a whole number from 1 to 1000");
  EXPECT_EQ(ErrorOf({"--rate=nan"}), "--rate=nan: must be a number from 0 to 10");
  EXPECT_EQ(ErrorOf({"--transport=tcp"}), "--transport=tcp: must be one of ws|grpc");
  EXPECT_EQ(ErrorOf({"--name"}), "--name needs a value: NAME");
  EXPECT_EQ(ErrorOf({"--json=perhaps"}), "--json=perhaps: must be true or false");
}

TEST_F(OptionParserTest, HelpListsEverythingWithItsDefault) {
  ASSERT_TRUE(parser_.Parse({"--help", "--nonsense"}).ok());
  EXPECT_TRUE(parser_.help_wanted());
  const std::string help = parser_.Help();
  EXPECT_THAT(help, HasSubstr("Usage: crier test"));
  EXPECT_THAT(help, HasSubstr("--clients N"));
  EXPECT_THAT(help, HasSubstr("how many [5]"));
  EXPECT_THAT(help, HasSubstr("--transport ws|grpc"));
}

TEST(BenchOptionsTest, RefusesWhatContradictsItself) {
  bench::BenchOptions options;
  options.mode = "fanout";
  options.clients = 10;
  EXPECT_TRUE(bench::Validate(options).ok());
  options.stalled = 10;
  EXPECT_THAT(std::string(bench::Validate(options).message()), HasSubstr("no client that reads"));
  options.stalled = 5;
  options.publishers = 6;
  EXPECT_THAT(std::string(bench::Validate(options).message()), HasSubstr("--publishers=6"));
  options.publishers = 1;
  options.topics = 6;
  EXPECT_THAT(std::string(bench::Validate(options).message()), HasSubstr("--topics=6"));
  options.topics = 0;
  options.readers = 0.5;
  EXPECT_FALSE(bench::Validate(options).ok());
  options.mode = "fandango";
  EXPECT_THAT(std::string(bench::Validate(options).message()), HasSubstr("fanout, direct"));
}

TEST(BenchOptionsTest, SaysHowManyFilesAreMissing) {
  const absl::Status status = bench::RaiseFileLimit(uint64_t{1} << 40);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("ulimit -Hn"));
}

TEST(WebSocketUrlTest, ReadsItsParts) {
  const client::WebSocketUrl url = client::ParseWebSocketUrl("ws://host:81/ws?user_id=a").value();
  EXPECT_EQ(url.host, "host");
  EXPECT_EQ(url.port, "81");
  EXPECT_EQ(url.path, "/ws?user_id=a");
  EXPECT_EQ(url.host_header, "host:81");
  EXPECT_EQ(client::ParseWebSocketUrl("ws://[::1]:8000").value().host, "::1");
  EXPECT_EQ(client::ParseWebSocketUrl("ws://[::1]:8000").value().path, "/ws");
  EXPECT_EQ(client::ParseWebSocketUrl("ws://host").value().port, "80");
  EXPECT_FALSE(client::ParseWebSocketUrl("ws://host").value().tls);
  EXPECT_EQ(client::ParseWebSocketUrl("wss://host").value().port, "443");
  EXPECT_TRUE(client::ParseWebSocketUrl("wss://host").value().tls);
  EXPECT_EQ(client::ParseWebSocketUrl("ws://host:1?a=b").value().path, "/ws?a=b");
}

TEST(WebSocketUrlTest, RefusesOthersAndSaysWhy) {
  for (const char* text : {"", "host:80", "http://host", "ws://", "ws://:80", "ws://host:0",
                           "ws://host:99999", "ws://[::1", "ws://[::1]x", "http://host"}) {
    const absl::Status status = client::ParseWebSocketUrl(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("ws://HOST:PORT/ws")) << text;
  }
}

TEST(WebSocketUrlTest, AQueryIsAddedAndEncoded) {
  EXPECT_EQ(client::WithQuery("/ws", "user_id", "a b&c"), "/ws?user_id=a%20b%26c");
  EXPECT_EQ(client::WithQuery("/ws?x=1", "user_id", "7"), "/ws?x=1&user_id=7");
}

}  // namespace
}  // namespace crier::cli
