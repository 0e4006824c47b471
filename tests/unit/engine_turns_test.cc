// In which order sessions get their turn when many have something to be sent.
#include <algorithm>
#include <memory>
#include <vector>

#include "tests/support/engine_fixture.h"

namespace crier {
namespace {

class TurnsTest : public EngineTest {
 protected:
  // Takes all it is offered, and notes that it was its turn.
  class Client final : public Transport {
   public:
    Client(Engine* engine, std::vector<Client*>* turns) : turns_(turns) {
      SessionOptions session;
      session.kind = TransportKind::kGrpc;
      session.encoding = &CanonicalEncoding();
      session.transport = this;
      session_ = engine->shard(0).OpenSession(session);
      engine->RunUntilIdle();
    }
    ~Client() override { session_->End(Outcome::kOk); }

    void Wake() override {
      turns_->push_back(this);
      size_t bytes = 0;
      for (const Slice& slice : session_->Peek(1 << 20)) bytes += slice.size;
      if (bytes > 0) session_->Take(bytes);
      session_->WakeLater();
    }
    void Close(Outcome, std::string_view) override {}

    // Unlike FakeClient's, without running the engine.
    void Say(v1::ActionType action) {
      v1::ClientFrame frame;
      frame.mutable_publish()->set_action_type(action);
      frame.mutable_publish()->set_body("x");
      session_->Handle(std::move(frame), session_->shard().ArrivalNow());
    }

   private:
    std::vector<Client*>* const turns_;
    Session* session_;
  };

  void JoinMany(size_t count) {
    while (clients_.size() < count) {
      clients_.push_back(std::make_unique<Client>(&engine(), &turns_));
    }
    turns_.clear();
  }
  size_t TurnOf(const std::unique_ptr<Client>& client) const {
    return static_cast<size_t>(std::find(turns_.begin(), turns_.end(), client.get()) -
                               turns_.begin());
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

}  // namespace
}  // namespace crier
