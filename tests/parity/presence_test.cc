// Who comes to a topic and who goes: told alike on both transports and in every dialect, of those
// on both transports, whatever ends their sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/auth/key_parser.h"
#include "server/auth/token_verifier.h"
#include "tests/parity/parity_fixture.h"
#include "tests/support/frames.h"
#include "tests/support/grpc_client.h"
#include "tests/support/tokens.h"

namespace crier::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// What a client knows that applies what it is told.
class Room {
 public:
  // `peer` outlives this object, and watches.
  explicit Room(Peer* peer) : peer_(*peer) {}

  // The next event that is about presence. Others fail the test.
  v1::Event Take() {
    v1::Event event = peer_.Next();
    Apply(event);
    return event;
  }
  void Apply(const v1::Event& event) {
    if (event.has_presence()) {
      const v1::Presence& presence = event.presence();
      users_ = {presence.users().begin(), presence.users().end()};
      sessions_ = presence.sessions();
      version_ = presence.version();
      EXPECT_EQ(presence.user_count(), users_.size());
      EXPECT_GT(version_, 0u);
    } else if (event.has_presence_change()) {
      const v1::PresenceChange& change = event.presence_change();
      EXPECT_EQ(change.version(), ++version_);
      EXPECT_EQ(change.joined_count(), static_cast<uint64_t>(change.joined_size()));
      EXPECT_EQ(change.left_count(), static_cast<uint64_t>(change.left_size()));
      for (const std::string& user : change.joined()) EXPECT_TRUE(users_.insert(user).second);
      for (const std::string& user : change.left()) EXPECT_EQ(users_.erase(user), 1u);
      sessions_ = change.sessions();
      EXPECT_EQ(change.user_count(), users_.size());
    } else {
      ADD_FAILURE() << "not about presence: " << event.ShortDebugString();
    }
  }
  // Takes what comes until so many sessions follow.
  void TakeUntil(uint64_t sessions) {
    while (sessions_ != sessions && !::testing::Test::HasFailure()) Take();
  }

  const std::set<std::string>& users() const { return users_; }
  uint64_t sessions() const { return sessions_; }

 private:
  Peer& peer_;
  std::set<std::string> users_;
  uint64_t sessions_ = 0;
  uint64_t version_ = 0;
};

void ForEachSession(Shard& shard, const std::function<void(Session&)>& task) {
  uint64_t after = 0;
  while (Session* session = shard.sessions().Next(after)) {
    after = session->id();
    task(*session);
  }
}

void Expect(Peer& peer, const std::string& ack) { EXPECT_EQ(peer.Next().ack().id(), ack); }

class PairPresenceTest : public ParityTest, public ::testing::WithParamInterface<NodesPair> {};
INSTANTIATE_TEST_SUITE_P(Speech, PairPresenceTest,
                         ::testing::Combine(::testing::ValuesIn(AllPairs()),
                                            ::testing::Values(size_t{1}, size_t{2})),
                         NameOfNodesPair);

TEST_P(PairPresenceTest, ComesAndGoes) {
  const auto& [speech, nodes] = GetParam();
  node_count_ = nodes;
  StartServer();
  const auto bob = Connect(speech.first, "bob");
  const auto ada = Connect(speech.second, "ada", nodes - 1);
  bob->Send(Subscribe("room", "s"));
  Expect(*bob, "s");

  ada->Send(Watch("room", "w"));
  Expect(*ada, "w");
  Room room(ada.get());
  room.TakeUntil(2);
  EXPECT_THAT(room.users(), UnorderedElementsAre("ada", "bob"));

  // Another session of bob, and one of nobody.
  const auto second = Connect(speech.second, "bob", nodes - 1);
  const auto nobody = Connect(speech.first, "");
  second->Send(Subscribe("room"));
  nobody->Send(Subscribe("room"));
  room.TakeUntil(4);
  EXPECT_THAT(room.users(), UnorderedElementsAre("ada", "bob"));

  bob->Send(Unsubscribe("room"));
  room.TakeUntil(3);
  EXPECT_THAT(room.users(), UnorderedElementsAre("ada", "bob"));
  second->Leave();
  nobody->Leave();
  room.TakeUntil(1);
  EXPECT_THAT(room.users(), UnorderedElementsAre("ada"));
}

class SpeechPresenceTest : public ParityTest, public ::testing::WithParamInterface<Speech> {};
INSTANTIATE_TEST_SUITE_P(Speech, SpeechPresenceTest, ::testing::ValuesIn(kEverySpeech),
                         [](const ::testing::TestParamInfo<Speech>& speech) {
                           return NameOf(speech.param);
                         });

// Every way in which a session of this transport can end.
TEST_P(SpeechPresenceTest, NoGhostIsLeft) {
  StartServer();
  const auto ada = Connect(Speech::kJson, "ada");
  ada->Send(Watch("room"));
  Room room(ada.get());
  room.Take();

  std::map<std::string, std::unique_ptr<Peer>> others;
  const auto join = [&](const std::string& user) {
    const auto& peer = others[user] = Connect(GetParam(), user);
    peer->Send(Subscribe("room", "s"));
    Expect(*peer, "s");
  };
  std::vector<OutcomeInfo> endings;
  for (const OutcomeInfo& info : AllOutcomes()) {
    if (info.repeated_close_code != 0) endings.push_back(info);
  }
  for (const OutcomeInfo& info : endings) join(std::string(info.name));
  for (const char* user : {"leaves", "breaks", "vanishes"}) join(user);
  room.TakeUntil(others.size() + 1);
  EXPECT_EQ(room.users().size(), others.size() + 1);

  OnEveryShard([&](Shard& shard) {
    ForEachSession(shard, [&](Session& session) {
      for (const OutcomeInfo& info : endings) {
        if (session.user_id() == info.name) session.RequestClose(info.outcome, {});
      }
    });
  });
  for (const OutcomeInfo& info : endings) others[std::string(info.name)]->WaitForEnd();
  others["leaves"]->Leave();
  others["breaks"]->Break();
  others.clear();
  room.TakeUntil(1);
  EXPECT_THAT(room.users(), UnorderedElementsAre("ada"));
}

TEST_P(SpeechPresenceTest, ACrowdIsANumber) {
  StartServer();
  const auto ada = Connect(GetParam(), "ada");
  ada->Send(Watch("room"));
  Room room(ada.get());
  room.Take();
  GrpcClient client(grpc_address());
  std::vector<std::unique_ptr<GrpcStream>> crowd;
  for (int i = 0; i < 300; ++i) {
    crowd.push_back(client.Connect("user" + std::to_string(i)));
    crowd.back()->NextWelcome();
  }
  // Well within two seconds, so that more than a hundred are in one event.
  for (const auto& stream : crowd) stream->Send(Subscribe("room"));
  uint64_t most = 0;
  uint64_t came = 0;
  while (came < 300 && !HasFailure()) {
    const v1::PresenceChange change = ada->Next().presence_change();
    came += change.joined_count();
    EXPECT_EQ(static_cast<uint64_t>(change.joined_size()),
              change.joined_count() > 100 ? 0 : change.joined_count());
    most = std::max(most, change.joined_count());
    EXPECT_EQ(change.user_count(), came + 1);
  }
  EXPECT_GT(most, 100u);
}

// Not by gRPC, whose library goes on reading ahead in the seconds that so many changes take. For
// the engine it is the same (engine_presence_test.cc).
class SleeperPresenceTest : public SpeechPresenceTest {};
INSTANTIATE_TEST_SUITE_P(Speech, SleeperPresenceTest,
                         ::testing::Values(Speech::kPlain, Speech::kJson, Speech::kProto),
                         [](const ::testing::TestParamInfo<Speech>& speech) {
                           return NameOf(speech.param);
                         });

TEST_P(SleeperPresenceTest, WhoReadsTooSlowlyGetsAGapAndThenWhoIsThere) {
  engine_options_.topic_log.events = 4;
  StartServer();
  const auto sleeper = Connect(GetParam(), "sleeper");
  sleeper->Send(Watch("room"));
  Room room(sleeper.get());
  room.Take();
  sleeper->Send(Subscribe("feed", "s"));
  Expect(*sleeper, "s");
  const auto ada = Connect(Speech::kProto, "ada");
  ada->Send(Watch("room"));
  Room seen_by_ada(ada.get());
  seen_by_ada.TakeUntil(2);

  const auto publisher = Connect(Speech::kProto, "publisher");
  publisher->Send(Subscribe("feed", "s"));
  Expect(*publisher, "s");
  const std::string body(8000, 'x');
  while (lagging(GetParam()) == 0 && !HasFailure()) {
    publisher->Send(AsFrame(Broadcast(body, "feed")));
    publisher->Next();
  }
  // One event each, as fast as these are told.
  for (int i = 0; i < 3; ++i) {
    publisher->Send(Subscribe("room"));
    seen_by_ada.TakeUntil(3);
    publisher->Send(Unsubscribe("room"));
    seen_by_ada.TakeUntil(2);
  }

  bool gap = false;
  bool told = false;
  while (!told && !HasFailure()) {
    const v1::Event event = sleeper->Next();
    if (event.has_gap() && event.gap().presence()) {
      EXPECT_EQ(event.gap().topic(), "room");
      EXPECT_EQ(event.gap().reason(), v1::SLOW_CONSUMER);
      gap = true;
    } else if (event.has_presence()) {
      EXPECT_TRUE(gap);
      room.Apply(event);
      told = true;
    } else if (event.has_presence_change()) {
      EXPECT_FALSE(gap);
      room.Apply(event);
    }
  }
  EXPECT_THAT(room.users(), UnorderedElementsAre("sleeper", "ada"));
}

TEST_F(ParityTest, AGrpcSubscribeCallWatchesToo) {
  StartServer();
  GrpcClient client(grpc_address());
  v1::SubscribeRequest request;
  request.add_topics("room");
  *request.add_resume() = At("other", 0, 0);
  request.set_presence(true);
  const auto stream = client.Subscribe(request, "ada");
  stream->NextWelcome();
  std::set<std::string> topics;
  for (int i = 0; i < 2; ++i) {
    const auto event = stream->Next();
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->presence().version(), 1u);
    EXPECT_THAT(event->presence().users(), UnorderedElementsAre("ada"));
    topics.insert(event->presence().topic());
  }
  EXPECT_THAT(topics, UnorderedElementsAre("other", "room"));
}

class PresenceAuthTest : public SpeechPresenceTest {
 protected:
  PresenceAuthTest() {
    verifier_.SetKeys(*ParseKeyFile(kTestSecret));
    engine_options_.authenticator = &verifier_;
  }
  ~PresenceAuthTest() override { StopServer(); }

  static std::string Token(const std::string& more) {
    return TokenFor("ada", R"("crier":{"subscribe":["**"])" + more + "}");
  }

 private:
  TokenVerifier verifier_{TokenRules{.leeway = 0}};
};
INSTANTIATE_TEST_SUITE_P(Speech, PresenceAuthTest, ::testing::ValuesIn(kEverySpeech),
                         [](const ::testing::TestParamInfo<Speech>& speech) {
                           return NameOf(speech.param);
                         });

TEST_P(PresenceAuthTest, NeedsTheClaim) {
  StartServer();
  const auto ada = Connect(GetParam(), Login{.token = Token("")});
  ada->Send(Watch("room", "w"));
  const v1::Event refused = ada->Next();
  EXPECT_EQ(refused.error().outcome(), "PERMISSION_DENIED");
  EXPECT_EQ(refused.error().id(), "w");

  v1::ClientFrame renewed;
  renewed.mutable_auth()->set_token(Token(R"(,"presence":true)"));
  ada->Send(renewed);
  ada->Send(Watch("room", "w"));
  Expect(*ada, "w");
  EXPECT_THAT(ada->Next().presence().users(), UnorderedElementsAre("ada"));

  // And ends with it.
  renewed.mutable_auth()->set_token(Token(""));
  renewed.mutable_auth()->set_id("a");
  ada->Send(renewed);
  std::set<std::string> answers;
  for (int i = 0; i < 2; ++i) {
    const v1::Event event = ada->Next();
    answers.insert(event.has_error() ? event.error().outcome() : event.ack().id());
  }
  EXPECT_THAT(answers, UnorderedElementsAre("PERMISSION_DENIED", "a"));
  OnEveryShard([](Shard& shard) {
    ForEachSession(shard, [](Session& session) {
      EXPECT_TRUE(session.following().Follows("room"));
      EXPECT_THAT(session.following().WatchedTopics(), IsEmpty());
    });
  });
}

}  // namespace
}  // namespace crier::testing
