// Channels of a real Redis: what comes, what comes no more, and that they come back with Redis.
#include "server/cluster/redis_subscriber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/redis_server.h"

namespace crier {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RedisServer;
using testing::RunUntil;

class RedisSubscriberTest : public ::testing::Test {
 protected:
  void Make(RedisSubscriber::Options options = {}) {
    options.on_message = [this](std::string_view channel, std::string_view payload) {
      messages_.push_back(std::string(channel) + "=" + std::string(payload));
    };
    options.on_up = [this] { ++ups_; };
    options.on_restored = [this] { ++restored_; };
    options.on_down = [this](std::string_view why) { downs_.emplace_back(why); };
    options.on_memory = [this](int64_t bytes) { memory_ += bytes; };
    subscriber_ = std::make_unique<RedisSubscriber>(
        &io_, ParseClusterUrl(redis_.url())->servers.at(0), std::move(options));
  }
  void Connect(RedisSubscriber::Options options = {}) {
    Make(std::move(options));
    subscriber_->Start();
    ASSERT_TRUE(Wait([this] { return restored_ == 1; }));
  }
  bool Wait(const std::function<bool()>& condition) { return RunUntil(io_, condition); }
  bool WaitForMessages(size_t count) {
    return Wait([&] { return messages_.size() >= count; });
  }

  void Subscribe(const std::string& channel) {
    subscriber_->Subscribe(channel, [this, channel] { confirmed_.push_back(channel); });
  }
  // And waits until Redis has confirmed it.
  void SubscribeNow(const std::string& channel) {
    const size_t before = confirmed_.size();
    Subscribe(channel);
    ASSERT_TRUE(Wait([&] { return confirmed_.size() > before; }));
  }
  // Returns how many listened.
  std::string Publish(const std::string& channel, const std::string& payload) {
    return redis_.Command({"PUBLISH", channel, payload});
  }

  RedisServer redis_;
  boost::asio::io_context io_{1};
  int ups_ = 0;
  int restored_ = 0;
  std::vector<std::string> downs_;
  std::vector<std::string> messages_;
  std::vector<std::string> confirmed_;
  int64_t memory_ = 0;
  std::unique_ptr<RedisSubscriber> subscriber_;
};

TEST_F(RedisSubscriberTest, MessagesOfChannelsThatAreListenedTo) {
  Connect();
  SubscribeNow("a");
  SubscribeNow("b");
  EXPECT_EQ(Publish("a", "1"), "1");
  EXPECT_EQ(Publish("c", "2"), "0");
  EXPECT_EQ(Publish("b", std::string("\0\r\n", 3)), "1");
  ASSERT_TRUE(WaitForMessages(2));
  EXPECT_THAT(messages_, ElementsAre("a=1", "b=" + std::string("\0\r\n", 3)));
  EXPECT_EQ(subscriber_->channels(), 2u);
}

TEST_F(RedisSubscriberTest, ChannelsFromBeforeTheConnection) {
  Make();
  Subscribe("a");
  EXPECT_TRUE(confirmed_.empty());
  subscriber_->Start();
  ASSERT_TRUE(Wait([this] { return restored_ == 1; }));
  EXPECT_THAT(confirmed_, ElementsAre("a"));
  EXPECT_EQ(Publish("a", "1"), "1");
  ASSERT_TRUE(WaitForMessages(1));
}

TEST_F(RedisSubscriberTest, NothingComesAfterUnsubscribe) {
  Connect();
  SubscribeNow("a");
  SubscribeNow("b");
  // It is on its way when the channel is left.
  Publish("a", "late");
  subscriber_->Unsubscribe("a");
  ASSERT_TRUE(redis_.WaitFor({"PUBSUB", "NUMSUB", "a"}, "1"));
  Publish("b", "end");
  ASSERT_TRUE(WaitForMessages(1));
  EXPECT_THAT(messages_, ElementsAre("b=end"));
  ASSERT_TRUE(Wait([this] { return Publish("a", "2") == "0"; }));
  EXPECT_EQ(subscriber_->channels(), 1u);
}

TEST_F(RedisSubscriberTest, LeftAndTakenAgainAtOnceIsConfirmedOnce) {
  Connect();
  bool dropped = true;
  subscriber_->Subscribe("a", [&dropped] { dropped = false; });
  subscriber_->Unsubscribe("a");
  Subscribe("a");
  subscriber_->Unsubscribe("a");
  SubscribeNow("a");
  EXPECT_TRUE(dropped);
  EXPECT_THAT(confirmed_, ElementsAre("a"));
  EXPECT_EQ(Publish("a", "1"), "1");
  ASSERT_TRUE(WaitForMessages(1));
}

TEST_F(RedisSubscriberTest, AConfirmationMayChangeChannels) {
  Connect();
  subscriber_->Subscribe("a", [this] {
    subscriber_->Unsubscribe("a");
    Subscribe("b");
  });
  ASSERT_TRUE(Wait([this] { return !confirmed_.empty(); }));
  EXPECT_EQ(Publish("b", "1"), "1");
  EXPECT_EQ(subscriber_->channels(), 1u);
}

TEST_F(RedisSubscriberTest, ChannelsComeBackWithTheServer) {
  Connect();
  SubscribeNow("a");
  SubscribeNow("b");
  redis_.Kill();
  ASSERT_TRUE(Wait([this] { return !downs_.empty(); }));
  EXPECT_FALSE(subscriber_->up());
  // Changes in the meantime count.
  subscriber_->Unsubscribe("b");
  Subscribe("c");
  redis_.Restart();
  ASSERT_TRUE(Wait([this] { return restored_ == 2; }));
  EXPECT_EQ(ups_, 2);
  EXPECT_THAT(confirmed_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(Publish("a", "1"), "1");
  EXPECT_EQ(Publish("b", "2"), "0");
  EXPECT_EQ(Publish("c", "3"), "1");
  ASSERT_TRUE(WaitForMessages(2));
  EXPECT_THAT(messages_, ElementsAre("a=1", "c=3"));
}

TEST_F(RedisSubscriberTest, AKilledConnectionIsMadeAgain) {
  Connect();
  SubscribeNow("a");
  EXPECT_EQ(redis_.Command({"CLIENT", "KILL", "TYPE", "pubsub"}), "1");
  ASSERT_TRUE(Wait([this] { return restored_ == 2; }));
  EXPECT_THAT(downs_, ElementsAre(HasSubstr("the server has closed")));
  EXPECT_EQ(Publish("a", "1"), "1");
  ASSERT_TRUE(WaitForMessages(1));
}

TEST_F(RedisSubscriberTest, AStoppedServerIsNoticedByItsSilence) {
  Connect({.timeout = std::chrono::milliseconds(300)});
  SubscribeNow("a");
  // PINGs keep a silent connection: three times as long as it may be silent.
  EXPECT_FALSE(RunUntil(
      io_, [this] { return !downs_.empty(); }, std::chrono::milliseconds(900)));
  redis_.Pause();
  ASSERT_TRUE(Wait([this] { return !downs_.empty(); }));
  EXPECT_THAT(downs_[0], HasSubstr("silent for 300 milliseconds"));
  redis_.Continue();
  ASSERT_TRUE(Wait([this] { return restored_ == 2; }));
  EXPECT_EQ(Publish("a", "1"), "1");
  ASSERT_TRUE(WaitForMessages(1));
}

TEST_F(RedisSubscriberTest, FiveThousandChannelsComeBack) {
  Connect();
  constexpr int kChannels = 5000;
  for (int i = 0; i < kChannels; ++i) Subscribe("channel-" + std::to_string(i));
  ASSERT_TRUE(Wait([this] { return confirmed_.size() == kChannels; }));
  redis_.Command({"CLIENT", "KILL", "TYPE", "pubsub"});
  ASSERT_TRUE(Wait([this] { return ups_ == 2; }));
  // While the others are being subscribed again.
  subscriber_->Unsubscribe("channel-17");
  subscriber_->Unsubscribe("channel-4999");
  Subscribe("channel-4999");
  Subscribe("new");
  ASSERT_TRUE(Wait([this] { return restored_ == 2 && confirmed_.size() == kChannels + 2; }));
  ASSERT_TRUE(Wait([this] { return Publish("channel-17", "x") == "0"; }));
  messages_.clear();
  for (const char* channel : {"channel-0", "channel-2500", "channel-4999", "new"}) {
    EXPECT_EQ(Publish(channel, "1"), "1");
  }
  ASSERT_TRUE(WaitForMessages(4));
  EXPECT_THAT(messages_, ElementsAre("channel-0=1", "channel-2500=1", "channel-4999=1", "new=1"));
  EXPECT_EQ(subscriber_->channels(), static_cast<size_t>(kChannels));
}

TEST_F(RedisSubscriberTest, AChannelWithoutTheRightToItIsTold) {
  redis_.Command({"ACL", "SETUSER", "default", "resetchannels", "&open"});
  Connect();
  Subscribe("closed");
  ASSERT_TRUE(Wait([this] { return !downs_.empty(); }));
  EXPECT_THAT(downs_[0], HasSubstr("NOPERM"));
}

TEST_F(RedisSubscriberTest, StopIsSilentAndGivesBackItsMemory) {
  Connect();
  for (int i = 0; i < 100; ++i) Subscribe("channel-" + std::to_string(i));
  EXPECT_GT(memory_, 0);
  subscriber_->Stop();
  EXPECT_EQ(memory_, 0);
  Subscribe("late");
  subscriber_.reset();
  io_.restart();
  io_.run();
  EXPECT_TRUE(downs_.empty());
  EXPECT_TRUE(confirmed_.empty());
  EXPECT_EQ(memory_, 0);
}

TEST_F(RedisSubscriberTest, StopFromAMessage) {
  Connect();
  SubscribeNow("a");
  int messages = 0;
  RedisSubscriber* other = nullptr;
  RedisSubscriber second(&io_, ParseClusterUrl(redis_.url())->servers.at(0),
                         {.on_message = [&](std::string_view, std::string_view) {
                           ++messages;
                           other->Stop();
                         }});
  other = &second;
  bool confirmed = false;
  second.Subscribe("a", [&confirmed] { confirmed = true; });
  second.Start();
  ASSERT_TRUE(Wait([&] { return confirmed; }));
  redis_.Command({"EVAL", "for i = 1, 10 do redis.call('PUBLISH', 'a', i) end", "0"});
  ASSERT_TRUE(WaitForMessages(10));
  ASSERT_TRUE(Wait([&] { return messages > 0; }));
  EXPECT_EQ(messages, 1);
}

}  // namespace
}  // namespace crier
