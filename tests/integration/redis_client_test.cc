// Calls to a real Redis: their order, scripts, and what happens to them when Redis goes away.
#include "server/cluster/redis_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/redis_server.h"

namespace crier {
namespace {

using ::testing::HasSubstr;
using testing::RedisServer;
using testing::RunUntil;
using ::testing::StartsWith;

class RedisClientTest : public ::testing::Test {
 protected:
  // A client of `redis_`, with everything that it tells kept here.
  void Connect(RedisClient::Options options = {}) {
    options.on_up = [this] { ++ups_; };
    options.on_down = [this](std::string_view why) { downs_.emplace_back(why); };
    options.on_memory = [this](int64_t bytes) { memory_ += bytes; };
    client_ = std::make_unique<RedisClient>(&io_, ParseClusterUrl(redis_.url())->servers.at(0),
                                            std::move(options));
    client_->Start();
    ASSERT_TRUE(Wait([this] { return client_->up(); }));
  }

  bool Wait(const std::function<bool()>& condition) { return RunUntil(io_, condition); }

  // The answer is added to answers_.
  RedisClient::Done Keep() {
    return [this](const RedisReply& reply) {
      kinds_.push_back(reply.kind());
      answers_.emplace_back(reply.kind() == RedisReply::kInteger ? std::to_string(reply.integer())
                                                                 : std::string(reply.text()));
    };
  }
  void Call(std::vector<std::string_view> args) { client_->Call(args, Keep()); }
  void Run(const RedisScript& script, std::string_view argument) {
    const std::string_view keys[] = {"list"};
    const std::string_view args[] = {argument};
    client_->Run(script, keys, args, Keep());
  }
  // Calls and waits for the answer.
  std::string Answer(std::vector<std::string_view> args) {
    const size_t before = answers_.size();
    Call(std::move(args));
    EXPECT_TRUE(Wait([&] { return answers_.size() > before; }));
    return answers_.back();
  }

  RedisServer redis_;
  boost::asio::io_context io_{1};
  int ups_ = 0;
  std::vector<std::string> downs_;
  int64_t memory_ = 0;
  std::vector<RedisReply::Kind> kinds_;
  std::vector<std::string> answers_;
  std::unique_ptr<RedisClient> client_;
};

// Answers how long the list is.
const RedisScript& Push() {
  static const RedisScript script("return redis.call('RPUSH', KEYS[1], ARGV[1])");
  return script;
}

TEST_F(RedisClientTest, AnswersOfEveryKind) {
  Connect();
  EXPECT_EQ(Answer({"SET", "a", "1"}), "OK");
  EXPECT_EQ(Answer({"GET", "a"}), "1");
  EXPECT_EQ(Answer({"INCR", "a"}), "2");
  Answer({"GET", "nothing"});
  EXPECT_EQ(kinds_.back(), RedisReply::kNil);
  EXPECT_THAT(Answer({"LPUSH", "a", "x"}), StartsWith("WRONGTYPE"));
  EXPECT_EQ(kinds_.back(), RedisReply::kError);
  std::vector<std::string> parts;
  const std::string_view args[] = {"MGET", "a", "nothing"};
  client_->Call(args, [&](const RedisReply& reply) {
    for (size_t i = 0; i < reply.size(); ++i) parts.emplace_back(reply[i].text());
    EXPECT_EQ(reply[7].kind(), RedisReply::kNil);
  });
  ASSERT_TRUE(Wait([&] { return !parts.empty(); }));
  EXPECT_EQ(parts, (std::vector<std::string>{"2", ""}));
}

TEST_F(RedisClientTest, TenThousandCallsAreAnsweredInTheirOrder) {
  Connect();
  constexpr int kCalls = 10'000;
  for (int i = 0; i < kCalls; ++i) Call({"INCR", "n"});
  EXPECT_EQ(client_->outstanding(), static_cast<size_t>(kCalls));
  EXPECT_GT(client_->outstanding_bytes(), 0u);
  ASSERT_TRUE(Wait([this] { return answers_.size() == kCalls; }));
  for (int i = 0; i < kCalls; ++i) ASSERT_EQ(answers_[i], std::to_string(i + 1));
  EXPECT_EQ(client_->outstanding(), 0u);
  EXPECT_EQ(client_->outstanding_bytes(), 0u);
}

TEST_F(RedisClientTest, LargeTextsOfAnyBytesGoThere) {
  Connect();
  std::string large(3 << 20, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7);
  EXPECT_EQ(Answer({"SET", "large", large}), "OK");
  EXPECT_TRUE(Answer({"GET", "large"}) == large);
  ASSERT_TRUE(Wait([this] { return memory_ < 100'000; }));
}

TEST_F(RedisClientTest, ACallMayMakeTheNextOne) {
  Connect();
  const std::string_view args[] = {"INCR", "n"};
  client_->Call(args, [&](const RedisReply&) { client_->Call(args, Keep()); });
  ASSERT_TRUE(Wait([this] { return !answers_.empty(); }));
  EXPECT_EQ(answers_.back(), "2");
}

TEST_F(RedisClientTest, TooMuchIsRefusedAtOnce) {
  Connect({.most_unsent = 1000});
  const std::string text(600, 'x');
  Call({"SET", "a", text});
  Call({"SET", "b", text});
  ASSERT_EQ(kinds_, std::vector{RedisReply::kLost});
  ASSERT_TRUE(Wait([this] { return answers_.size() == 2; }));
  EXPECT_EQ(answers_.back(), "OK");
  EXPECT_EQ(Answer({"SET", "b", text}), "OK");
}

TEST_F(RedisClientTest, ScriptsAreThereBeforeItIsUp) {
  Connect({.scripts = {&Push()}});
  EXPECT_EQ(redis_.Command({"SCRIPT", "EXISTS", Push().digest()}), "1\n");
  Run(Push(), "a");
  Run(Push(), "b");
  ASSERT_TRUE(Wait([this] { return answers_.size() == 2; }));
  EXPECT_EQ(answers_, (std::vector<std::string>{"1", "2"}));
}

TEST_F(RedisClientTest, AScriptWithAFaultKeepsItFromBeingUp) {
  const RedisScript wrong("this is no Lua");
  RedisClient client(
      &io_, ParseClusterUrl(redis_.url())->servers.at(0),
      {.scripts = {&wrong}, .on_down = [this](std::string_view why) { downs_.emplace_back(why); }});
  client.Start();
  ASSERT_TRUE(Wait([this] { return !downs_.empty(); }));
  EXPECT_THAT(downs_.back(), HasSubstr("Error compiling script"));
}

TEST_F(RedisClientTest, ScriptsThatRedisForgotAreLoadedAgainUnseen) {
  Connect({.scripts = {&Push()}});
  constexpr int kCalls = 100;
  std::string expected;
  for (int i = 0; i < 3 * kCalls; ++i) expected += std::to_string(i) + "\n";
  for (int round = 0; round < 3; ++round) {
    answers_.clear();
    ASSERT_EQ(redis_.Command({"SCRIPT", "FLUSH"}), "OK");
    redis_.Command({"DEL", "list"});
    for (int i = 0; i < kCalls; ++i) Run(Push(), std::to_string(i));
    // This is answered after it was found out, and before it is mended.
    const std::string_view args[] = {"LLEN", "list"};
    client_->Call(args, [&](const RedisReply& reply) {
      EXPECT_EQ(reply.integer(), 0);
      for (int i = 2 * kCalls; i < 3 * kCalls; ++i) Run(Push(), std::to_string(i));
      Call({"LLEN", "list"});
    });
    for (int i = kCalls; i < 2 * kCalls; ++i) Run(Push(), std::to_string(i));
    ASSERT_TRUE(Wait([this] { return answers_.size() == 3 * kCalls + 1; }));
    for (int i = 0; i < 3 * kCalls; ++i) ASSERT_EQ(answers_[i], std::to_string(i + 1));
    EXPECT_EQ(answers_.back(), std::to_string(3 * kCalls));
    EXPECT_EQ(redis_.Command({"LRANGE", "list", "0", "-1"}), expected);
  }
  EXPECT_TRUE(downs_.empty());
  EXPECT_EQ(client_->outstanding_bytes(), 0u);
}

TEST_F(RedisClientTest, AFlushInTheMiddleOfAPipelineChangesNoOrder) {
  Connect({.scripts = {&Push()}});
  for (int i = 0; i < 300; ++i) {
    if (i == 100 || i == 250) client_->Call(std::vector<std::string_view>{"SCRIPT", "FLUSH"}, {});
    Run(Push(), std::to_string(i));
  }
  ASSERT_TRUE(Wait([this] { return answers_.size() == 300; }));
  for (int i = 0; i < 300; ++i) ASSERT_EQ(answers_[i], std::to_string(i + 1));
}

TEST_F(RedisClientTest, CallsOfAKilledServerAreLostInOrderAndOthersWorkAfterwards) {
  Connect({.scripts = {&Push()}});
  redis_.Pause();
  std::vector<int> lost;
  for (int i = 0; i < 1000; ++i) {
    const std::string_view args[] = {"INCR", "n"};
    client_->Call(args, [&lost, i](const RedisReply& reply) {
      EXPECT_TRUE(reply.is_lost());
      lost.push_back(i);
    });
  }
  redis_.Kill();
  ASSERT_TRUE(Wait([&] { return !downs_.empty(); }));
  ASSERT_EQ(lost.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(lost.begin(), lost.end()));
  EXPECT_EQ(client_->outstanding_bytes(), 0u);
  Call({"PING"});
  EXPECT_EQ(kinds_, std::vector{RedisReply::kLost});

  redis_.Restart();
  ASSERT_TRUE(Wait([this] { return ups_ == 2; }));
  Run(Push(), "a");
  ASSERT_TRUE(Wait([this] { return answers_.size() == 2; }));
  EXPECT_EQ(answers_.back(), "1");
}

TEST_F(RedisClientTest, AStoppedServerIsNoticedByItsSilence) {
  Connect({.timeout = std::chrono::milliseconds(300)});
  redis_.Pause();
  Call({"PING"});
  ASSERT_TRUE(Wait([this] { return !downs_.empty(); }));
  EXPECT_THAT(downs_[0], HasSubstr("no answer in 300 milliseconds"));
  EXPECT_EQ(kinds_, std::vector{RedisReply::kLost});
  redis_.Continue();
  ASSERT_TRUE(Wait([this] { return ups_ == 2; }));
  EXPECT_EQ(Answer({"PING"}), "PONG");
}

TEST_F(RedisClientTest, AStoppedServerIsNoticedWithoutCallsToo) {
  Connect({.timeout = std::chrono::milliseconds(300)});
  redis_.Pause();
  ASSERT_TRUE(Wait([this] { return !downs_.empty(); }));
  EXPECT_FALSE(client_->up());
  redis_.Continue();
  ASSERT_TRUE(Wait([this] { return ups_ == 2; }));
}

TEST_F(RedisClientTest, StopLosesEachCallOnceAndIsSilentThen) {
  Connect();
  for (int i = 0; i < 10; ++i) {
    const std::string_view args[] = {"PING"};
    client_->Call(args, [this](const RedisReply& reply) {
      EXPECT_TRUE(reply.is_lost());
      answers_.emplace_back();
      client_->Stop();  // From inside, too.
    });
  }
  client_->Stop();
  EXPECT_EQ(answers_.size(), 10u);
  EXPECT_EQ(memory_, 0);
  Call({"PING"});
  EXPECT_EQ(answers_.size(), 11u);
  client_.reset();
  // What is left in the loop is harmless, and ends.
  io_.restart();
  io_.run();
  EXPECT_TRUE(downs_.empty());
  EXPECT_EQ(memory_, 0);
}

TEST_F(RedisClientTest, StopFromACallsAnswer) {
  Connect();
  std::vector<bool> lost;
  for (int i = 0; i < 10; ++i) {
    const std::string_view args[] = {"PING"};
    client_->Call(args, [this, &lost](const RedisReply& reply) {
      lost.push_back(reply.is_lost());
      client_->Stop();
    });
  }
  ASSERT_TRUE(Wait([&] { return !lost.empty(); }));
  EXPECT_EQ(lost.size(), 10u);
  EXPECT_FALSE(lost[0]);
  EXPECT_TRUE(lost[1]);
  EXPECT_EQ(memory_, 0);
}

TEST_F(RedisClientTest, AServerThatBecameAReplicaIsLeft) {
  Connect({.scripts = {&Push()}});
  const RedisServer master;
  redis_.Command({"REPLICAOF", "127.0.0.1", std::to_string(master.port())});
  Run(Push(), "a");
  ASSERT_TRUE(Wait([this] { return !downs_.empty(); }));
  EXPECT_EQ(kinds_, std::vector{RedisReply::kLost});
  EXPECT_THAT(answers_[0], HasSubstr("READONLY"));
  redis_.Command({"REPLICAOF", "NO", "ONE"});
  ASSERT_TRUE(Wait([this] { return ups_ >= 2 && client_->up(); }));
}

}  // namespace
}  // namespace crier
