// What sessions see of a bus that nodes share, where it is slow. What it does itself is in
// tests/integration/bus_contract_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// Nobody is found by the other nodes before the test says so.
class SlowBus final : public SharedBus {
 public:
  void Publish(Shard&, Publication) override {}
  void Follow(Shard& home, const std::string& topic) override {
    home.Post([&home, topic] {
      home.topics().Begin(home.topics().Find(topic), /*epoch=*/1, /*base=*/0, /*complete=*/true);
    });
  }
  void Unfollow(Shard&, const std::string&) override {}
  void ReadPast(Shard&, const std::string&, uint64_t, PastLimits, PastDone done) override {
    PastEvents nothing;
    nothing.epoch = 1;
    done(std::move(nothing));
  }
  bool IsBeforeAll(Shard&, std::string_view, uint64_t) override { return false; }
  void SetUser(Shard& home, const std::string&, bool) override { home_ = &home; }
  void AwaitUser(Shard&, const std::string&, absl::AnyInvocable<void()> done) override {
    waiting_.push_back(std::move(done));
  }
  void AskPresence(Shard&, const std::string&, PresenceDone done) override { done({}); }
  void WatchPresence(Shard&, const std::string&) override {}
  void UnwatchPresence(Shard&, const std::string&) override {}
  void FollowerChanged(Shard&, const std::string&, const std::string&, bool) override {}
  const std::string& node() const override { return node_; }
  void SetAnswerer(NodeAnswerer) override {}
  void AskNodes(Shard&, const std::string&, std::string, NodesDone done) override { done({}); }

  // The other nodes were not heard for a while.
  void TellMissed(std::string_view user) { home_->publish_desk().TellMissed(user); }
  void FindUsers() {
    for (auto& done : std::exchange(waiting_, {})) done();
  }

 private:
  const std::string node_ = "this";
  Shard* home_ = nullptr;
  std::vector<absl::AnyInvocable<void()>> waiting_;
};

class EngineSharedBusTest : public EngineTest {
 protected:
  EngineSharedBusTest() {
    make_bus = [this](Engine*) {
      auto made = std::make_unique<SlowBus>();
      bus_ = made.get();
      return made;
    };
  }
  SlowBus& bus() { return *bus_; }

 private:
  SlowBus* bus_ = nullptr;
};

TEST_F(EngineSharedBusTest, AWelcomeComesBeforeWhatMayBeMissing) {
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.user_id = User("alice");
  session.welcome = true;
  const auto alice = std::make_unique<FakeClient>(&engine(), 0, std::move(session));
  engine().RunUntilIdle();
  bus().TellMissed("alice");
  engine().RunUntilIdle();
  EXPECT_THAT(alice->Events(), IsEmpty()) << "it was not told yet that messages find it";

  bus().FindUsers();
  engine().RunUntilIdle();
  std::vector<v1::Event> events = alice->Events();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_TRUE(events[0].has_welcome());

  bus().TellMissed("alice");
  engine().RunUntilIdle();
  events = alice->Events();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].gap().reason(), v1::CUT_OFF);
  EXPECT_TRUE(events[0].gap().mailbox());
}

}  // namespace
}  // namespace crier
