// In which order sessions get their turn when many have something to be sent.
#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

class TurnsTest : public EngineTest {
 protected:
  // How long a turn takes.
  std::chrono::microseconds turn{0};
  // How much a client takes in a turn, in bytes; one event always.
  size_t at_once = 1 << 20;
  // What happens behind these turns, counted from 1, as soon as the shard handles something else.
  std::map<size_t, std::function<void()>> behind;

  // Takes what it is offered, and notes that it was its turn.
  class Client final : public Transport {
   public:
    Client(TurnsTest* test, Engine* engine) : test_(*test) {
      SessionOptions session;
      session.kind = TransportKind::kGrpc;
      session.encoding = &CanonicalEncoding();
      session.transport = this;
      session_ = engine->shard(0).OpenSession(session);
      engine->RunUntilIdle();
    }
    ~Client() override { session_->End(Outcome::kOk); }

    void Wake() override {
      test_.turns_.push_back(this);
      test_.clock.Advance(test_.turn);
      const auto next = test_.behind.find(test_.turns_.size());
      if (next != test_.behind.end()) session_->shard().Post(next->second);
      size_t bytes = 0;
      for (const Slice& slice : session_->Peek(test_.at_once)) bytes += slice.size;
      if (bytes > 0) session_->Take(bytes);
      session_->WakeLater();
    }
    void Close(Outcome, std::string_view) override {}
    void PauseReading() override {}
    void ResumeReading() override {}

    // Unlike FakeClient's, without running the engine.
    void Say(v1::ActionType action, std::string topic = {}) {
      v1::ClientFrame frame;
      frame.mutable_publish()->set_action_type(action);
      frame.mutable_publish()->set_topic(std::move(topic));
      frame.mutable_publish()->set_body("x");
      session_->Handle(std::move(frame), session_->shard().ArrivalNow(), 0);
    }
    void Follow(std::string topic) {
      v1::ClientFrame frame;
      frame.mutable_subscribe()->set_topic(std::move(topic));
      session_->Handle(std::move(frame), session_->shard().ArrivalNow(), 0);
    }

   private:
    TurnsTest& test_;
    Session* session_;
  };

  void JoinMany(size_t count) {
    while (clients_.size() < count) {
      clients_.push_back(std::make_unique<Client>(this, &engine()));
    }
    turns_.clear();
  }
  size_t TurnOf(const std::unique_ptr<Client>& client) const {
    return static_cast<size_t>(std::find(turns_.begin(), turns_.end(), client.get()) -
                               turns_.begin());
  }

  // So many events for everyone, handed out in one round.
  void Broadcast(uint64_t events) {
    for (uint64_t i = 0; i < events; ++i) clients_[0]->Say(v1::BROADCAST);
    engine().RunUntilIdle();
  }
  // Lets the shard run until `condition` holds.
  bool Eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      engine().shard(0).Poll();
    }
    return true;
  }

  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Client*> turns_;
};

TEST_F(TurnsTest, AnAnswerDoesNotWaitForABroadcastToThousands) {
  JoinMany(2000);
  clients_[0]->Say(v1::BROADCAST);
  clients_.back()->Say(v1::DIRECT);
  engine().RunUntilIdle();
  EXPECT_EQ(TurnOf(clients_.back()), 0u);
  EXPECT_GE(turns_.size(), clients_.size()) << "everyone got the broadcast";
}

TEST_F(TurnsTest, ASmallRoomDoesNotWaitForABroadcastToThousands) {
  JoinMany(2000);
  for (size_t i = 1990; i < 2000; ++i) clients_[i]->Follow("room");
  engine().RunUntilIdle();
  turns_.clear();
  behind[100] = [this] { clients_[1990]->Say(v1::BROADCAST, "room"); };
  clients_[0]->Say(v1::BROADCAST);
  engine().RunUntilIdle();
  // A flush has 256 turns: the one that was under way, and one until the message is in its topic.
  for (size_t i = 1990; i < 2000; ++i) EXPECT_LT(TurnOf(clients_[i]), 522u) << i;
  EXPECT_EQ(turns_.size(), 2000u) << "those in the room had both in one turn";
}

TEST_F(TurnsTest, AnswersWithoutEndDoNotStopABroadcast) {
  JoinMany(1000);
  clients_[0]->Say(v1::BROADCAST);
  // More than a flush has turns, again and again.
  size_t broadcast_to = 0;
  for (int round = 0; round < 20 && broadcast_to < 400; ++round) {
    for (size_t i = 0; i < 600; ++i) clients_[i]->Say(v1::DIRECT);
    engine().shard(0).Poll();
    broadcast_to = 0;
    for (size_t i = 600; i < 1000; ++i) broadcast_to += TurnOf(clients_[i]) < turns_.size();
  }
  EXPECT_EQ(broadcast_to, 400u);
}

// --- Rounds.

TEST_F(TurnsTest, NobodyHasASecondTurnBeforeEveryoneHadTheFirst) {
  JoinMany(1000);
  for (const size_t turns : {100, 500, 900, 1400}) {
    behind[turns] = [this] { clients_[0]->Say(v1::BROADCAST); };
  }
  clients_[0]->Say(v1::BROADCAST);
  engine().RunUntilIdle();
  ASSERT_GE(turns_.size(), 2000u);
  for (size_t begin = 0; begin < turns_.size(); begin += 1000) {
    const size_t end = std::min(begin + 1000, turns_.size());
    EXPECT_EQ(std::set<Client*>(turns_.begin() + static_cast<ptrdiff_t>(begin),
                                turns_.begin() + static_cast<ptrdiff_t>(end))
                  .size(),
              end - begin);
  }
}

TEST_F(TurnsTest, AfterARoundOfManyEventsEachTheNextOneGathers) {
  turn = std::chrono::microseconds(10);
  JoinMany(100);
  Broadcast(RoundPace::kDeep);
  ASSERT_EQ(turns_.size(), 100u);

  // The round took 1 ms of the engine's time; four fifths of that have to pass.
  turns_.clear();
  turn = {};
  clients_[0]->Say(v1::BROADCAST);
  clock.Advance(std::chrono::microseconds(700));
  clients_[1]->Say(v1::DIRECT);
  ASSERT_TRUE(Eventually([this] { return !turns_.empty(); })) << "an answer never waits";
  EXPECT_EQ(turns_, (std::vector<Client*>{clients_[1].get()}));

  clients_[0]->Say(v1::BROADCAST);
  clock.Advance(std::chrono::microseconds(100));
  EXPECT_TRUE(Eventually([this] { return turns_.size() == 101; }));
  engine().RunUntilIdle();
  EXPECT_EQ(turns_.size(), 101u) << "both events in one turn";
}

TEST_F(TurnsTest, ARoundWaitsNoLongerThanGatherTime) {
  options.gather_time = std::chrono::milliseconds(3);
  turn = std::chrono::milliseconds(1);
  JoinMany(100);
  Broadcast(RoundPace::kDeep);
  turns_.clear();
  clients_[0]->Say(v1::BROADCAST);
  clock.Advance(std::chrono::milliseconds(3));
  EXPECT_TRUE(Eventually([this] { return turns_.size() == 100; }));
}

TEST_F(TurnsTest, ARoundOfFewEventsMakesNothingWait) {
  turn = std::chrono::milliseconds(1);
  JoinMany(100);
  Broadcast(RoundPace::kDeep - 1);
  turns_.clear();
  Broadcast(1);
  EXPECT_EQ(turns_.size(), 100u);
}

TEST_F(TurnsTest, WithoutGatherTimeNothingWaits) {
  options.gather_time = {};
  turn = std::chrono::milliseconds(1);
  JoinMany(100);
  Broadcast(100);
  turns_.clear();
  Broadcast(1);
  EXPECT_EQ(turns_.size(), 100u);
}

TEST_F(TurnsTest, AHurriedFlushEndsWhileSomebodyHasMuchToCome) {
  JoinMany(3);
  at_once = 1;
  for (uint64_t i = 0; i < options.topic_log.events / 4; ++i) clients_[0]->Say(v1::BROADCAST);
  engine().shard(0).FlushIfHurried();
  EXPECT_GE(turns_.size(), 3u);
  EXPECT_LE(turns_.size(), 2 * 3u);
}

}  // namespace
}  // namespace crier
