// Who comes to a topic and who goes, for those who asked: on one shard, and with the sessions
// spread over several.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/engine/presence_log.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_authenticator.h"

namespace crier {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kTick = kTickInterval;
constexpr milliseconds kSecond = PresenceDesk::kInterval;

template <typename Names>
std::string Joined(const Names& names) {
  std::vector<std::string> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  return absl::StrJoin(sorted, ",");
}

// "v1: ada,bob; 2 sessions, 2 users", "v2: +carol -bob; 2 sessions, 2 users", "gap", an error's
// outcome.
std::vector<std::string> News(FakeClient* client) {
  std::vector<std::string> news;
  for (const v1::Event& event : client->Events()) {
    if (event.has_presence()) {
      const v1::Presence& p = event.presence();
      news.push_back(absl::StrCat("v", p.version(), ": ", Joined(p.users()), "; ", p.sessions(),
                                  " sessions, ", p.user_count(), " users"));
    } else if (event.has_presence_change()) {
      const v1::PresenceChange& c = event.presence_change();
      std::string line = absl::StrCat("v", c.version(), ":");
      if (c.joined_count() > 0) {
        absl::StrAppend(&line, " +",
                        c.joined().empty() ? absl::StrCat(c.joined_count()) : Joined(c.joined()));
      }
      if (c.left_count() > 0) {
        absl::StrAppend(&line, " -",
                        c.left().empty() ? absl::StrCat(c.left_count()) : Joined(c.left()));
      }
      absl::StrAppend(&line, "; ", c.sessions(), " sessions, ", c.user_count(), " users");
      news.push_back(std::move(line));
    } else if (event.has_gap()) {
      news.push_back(absl::StrCat("gap ", event.gap().first(), "-", event.gap().last(), " of ",
                                  event.gap().topic(),
                                  event.gap().presence() ? "'s presence" : ""));
    } else if (event.has_error()) {
      news.push_back(event.error().outcome());
    }
  }
  return news;
}

class PresenceTest : public EngineTest, public testing::WithParamInterface<size_t> {
 protected:
  PresenceTest() { options.shards = GetParam(); }
  size_t Shard(size_t n) const { return n % options.shards; }

  static void Watch(FakeClient* client, bool presence = true, std::string topic = "room",
                    std::string id = {}) {
    v1::ClientFrame frame;
    frame.mutable_subscribe()->set_topic(std::move(topic));
    frame.mutable_subscribe()->set_presence(presence);
    frame.mutable_subscribe()->set_id(std::move(id));
    client->Send(std::move(frame));
  }
  std::unique_ptr<FakeClient> Follower(std::string user, size_t n) {
    auto client =
        Join(std::move(user), Shard(n), n % 2 == 0 ? CanonicalEncoding() : TextLineEncoding());
    client->Subscribe("room");
    return client;
  }
  Topic* Find(const std::string& name) {
    return engine().shard(engine().HomeIndexOf(name)).topics().Find(name);
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, PresenceTest, testing::Values(1, 2, 3));

TEST_P(PresenceTest, BeginsWithWhoIsThere) {
  auto bob = Follower("bob", 1);
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  EXPECT_THAT(News(ada.get()), ElementsAre("v1: ada,bob; 2 sessions, 2 users"));
  Pass(3 * kSecond);
  EXPECT_THAT(News(ada.get()), IsEmpty());
}

TEST_P(PresenceTest, TellsWhoComesAndWhoGoes) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  News(ada.get());
  auto bob = Follower("bob", 1);
  Pass(kTick);
  EXPECT_THAT(News(ada.get()), ElementsAre("v2: +bob; 2 sessions, 2 users"));
  Pass(kSecond);
  bob->Unsubscribe("room");
  Pass(kTick);
  EXPECT_THAT(News(ada.get()), ElementsAre("v3: -bob; 1 sessions, 1 users"));
}

TEST_P(PresenceTest, ToldAtOnceWhereQuietAndThenOnceASecond) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  News(ada.get());
  auto bob = Follower("bob", 1);
  Pass(kTick);
  EXPECT_THAT(News(ada.get()), ElementsAre("v2: +bob; 2 sessions, 2 users"));
  auto carol = Follower("carol", 2);
  Pass(kSecond / 2);
  auto dave = Follower("dave", 3);
  bob->Leave();
  Pass(kSecond / 2 - kTick);
  EXPECT_THAT(News(ada.get()), IsEmpty());
  Pass(kTick);
  EXPECT_THAT(News(ada.get()), ElementsAre("v3: +carol,dave -bob; 3 sessions, 3 users"));
}

TEST_P(PresenceTest, AUserComesWithTheFirstSessionAndGoesWithTheLast) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  auto first = Follower("bob", 1);
  Pass(kSecond);
  News(ada.get());
  auto second = Follower("bob", 2);
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v3:; 3 sessions, 2 users"));
  first->Leave();
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v4:; 2 sessions, 2 users"));
  second->Leave();
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v5: -bob; 1 sessions, 1 users"));
}

TEST_P(PresenceTest, SessionsOfNobodyOnlyCount) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  News(ada.get());
  std::vector<std::unique_ptr<FakeClient>> nobodies;
  for (size_t i = 0; i < 4; ++i) nobodies.push_back(Follower({}, i));
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v2:; 5 sessions, 1 users"));
  nobodies.clear();
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v3:; 1 sessions, 1 users"));
}

TEST_P(PresenceTest, ANobodyWhoSaysWhoHeIsComes) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.adopt_user_id = true;
  FakeClient bob(&engine(), Shard(1), session);
  bob.Subscribe("room");
  Pass(kSecond);
  News(ada.get());
  v1::ClientFrame frame;
  frame.mutable_ping();
  frame.set_user_id("bob");
  bob.Send(std::move(frame));
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v3: +bob; 2 sessions, 2 users"));
}

TEST_P(PresenceTest, WhoComesAndGoesInBetweenIsNoNews) {
  auto ada = Join("ada", Shard(0));
  auto bob = Follower("bob", 1);
  Watch(ada.get());
  News(ada.get());
  Follower("carol", 2);
  bob->Unsubscribe("room");
  bob->Subscribe("room");
  Pass(3 * kSecond);
  EXPECT_THAT(News(ada.get()), IsEmpty());
}

TEST_P(PresenceTest, ACrowdIsANumber) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  News(ada.get());
  std::vector<std::unique_ptr<FakeClient>> crowd;
  for (size_t i = 0; i < PresenceTracker::kMostNames; ++i) {
    crowd.push_back(Follower(absl::StrCat("user", i), i));
  }
  Pass(kSecond);
  auto events = ada->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].presence_change().joined_size(), 100);
  EXPECT_EQ(events[0].presence_change().joined_count(), 100u);

  auto one = Follower("one", 1);
  crowd.clear();
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v3: +1 -100; 2 sessions, 2 users"));
}

TEST_P(PresenceTest, HoweverFastTheyComeAndGoThereIsOneEventASecond) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  News(ada.get());
  std::unique_ptr<FakeClient> other;
  for (int i = 0; i < 50; ++i) {
    other = nullptr;
    other = Follower(absl::StrCat("user", i), i);
    Pass(kTick);
  }
  // Five seconds.
  const size_t told = News(ada.get()).size();
  EXPECT_GE(told, 5u);
  EXPECT_LE(told, 6u);
}

TEST_P(PresenceTest, ASnapshotAndTheChangesAfterItAddUp) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  auto bob = Follower("bob", 1);
  Pass(kTick);
  EXPECT_THAT(News(ada.get()),
              ElementsAre("v1: ada; 1 sessions, 1 users", "v2: +bob; 2 sessions, 2 users"));
  // Carol's own coming is not told yet when she asks.
  auto carol = Join("carol", Shard(2), TextLineEncoding());
  Watch(carol.get());
  EXPECT_THAT(News(carol.get()), IsEmpty());
  bob->Leave();
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v3: +carol -bob; 2 sessions, 2 users"));
  EXPECT_THAT(News(carol.get()), ElementsAre("v3: ada,carol; 2 sessions, 2 users"));
  auto dave = Follower("dave", 1);
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v4: +dave; 3 sessions, 3 users"));
  EXPECT_THAT(News(carol.get()), ElementsAre("v4: +dave; 3 sessions, 3 users"));
  ExpectSettled(carol->session().PositionIn(PresenceLogOf("room")));
  ExpectSettled(ada->session().PositionIn(PresenceLogOf("room")));
}

TEST_P(PresenceTest, ASecondSubscribeAsksAnew) {
  auto ada = Join("ada", Shard(0));
  auto bob = Follower("bob", 1);
  Watch(ada.get());
  News(ada.get());
  Watch(ada.get());
  EXPECT_THAT(News(ada.get()), ElementsAre("v1: ada,bob; 2 sessions, 2 users"));
  bob->Leave();
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v2: -bob; 1 sessions, 1 users"));
}

TEST_P(PresenceTest, ManySnapshotsLeaveInTurns) {
  std::vector<std::unique_ptr<FakeClient>> watchers;
  auto first = Join("first", Shard(0));
  Watch(first.get());
  for (size_t i = 0; i < 600; ++i) {
    watchers.push_back(Join(absl::StrCat("user", i), Shard(i)));
    Watch(watchers.back().get());
  }
  Pass(kTick);
  size_t told = 0;
  for (const auto& watcher : watchers) told += watcher->Events().size();
  EXPECT_EQ(told, 500u);
  Pass(kTick);
  for (const auto& watcher : watchers) told += watcher->Events().size();
  EXPECT_EQ(told, 600u);
}

TEST_P(PresenceTest, ASnapshotNamesAThousandAtMost) {
  std::vector<std::unique_ptr<FakeClient>> many;
  for (size_t i = 0; i < 1100; ++i) many.push_back(Follower(absl::StrCat("user", i), i));
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  const auto events = ada->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].presence().users_size(), 1000);
  EXPECT_EQ(events[0].presence().user_count(), 1101u);
  EXPECT_EQ(events[0].presence().sessions(), 1101u);
}

TEST_P(PresenceTest, ASlowWatcherGetsAGapAndThenWhoIsThere) {
  options.topic_log.events = 4;
  auto ada = Join("ada", Shard(0), TextLineEncoding());
  Watch(ada.get());
  News(ada.get());
  ada->StopReading();
  std::vector<std::unique_ptr<FakeClient>> others;
  for (size_t i = 0; i < 20; ++i) {
    others.push_back(Follower(absl::StrCat("user", i), i));
    Pass(kSecond);
  }
  others.resize(2);
  Pass(2 * kSecond);
  ada->ReadFreely();
  const auto news = News(ada.get());
  // What was on its way when the kernel took no more is whole.
  ASSERT_GE(news.size(), 2u);
  EXPECT_THAT(news[news.size() - 2], testing::MatchesRegex("gap [0-9]+-17 of room's presence"));
  EXPECT_EQ(news.back(), "v22: ada,user0,user1; 3 sessions, 3 users");
  others.pop_back();
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v23: -user1; 2 sessions, 2 users"));
  ExpectSettled(ada->session().PositionIn(PresenceLogOf("room")));
}

TEST_P(PresenceTest, EndsWithTheSubscriptionAndWithoutIt) {
  auto ada = Join("ada", Shard(0));
  auto bob = Join("bob", Shard(1));
  Watch(ada.get());
  Watch(bob.get());
  Pass(kSecond);
  News(ada.get());
  News(bob.get());
  Watch(ada.get(), /*presence=*/false);
  bob->Unsubscribe("room");
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), IsEmpty());
  EXPECT_THAT(News(bob.get()), IsEmpty());
  bob->Broadcast("still there", "room");
  EXPECT_THAT(ada->Story(), ElementsAre("still there"));
}

TEST_P(PresenceTest, NothingIsKeptWhereNobodyWatches) {
  auto bob = Follower("bob", 1);
  auto ada = Join("ada", Shard(0));
  ada->Subscribe("room");
  const int64_t topics = Memory(MemoryKind::kTopics);
  const int64_t logs = Memory(MemoryKind::kLogs);
  const int64_t sessions = Memory(MemoryKind::kSessions);
  EXPECT_EQ(Find(PresenceLogOf("room")), nullptr);
  EXPECT_EQ(Find("room")->presence(), nullptr);

  Watch(ada.get());
  {
    auto carol = Follower("carol", 2);
    Pass(kSecond);
    auto dave = Follower("dave", 2);  // is not told before he goes
  }
  EXPECT_NE(Find(PresenceLogOf("room")), nullptr);
  EXPECT_GT(Memory(MemoryKind::kTopics), topics);
  EXPECT_GT(Memory(MemoryKind::kLogs), logs);
  EXPECT_GT(Memory(MemoryKind::kSessions), sessions);

  Watch(ada.get(), /*presence=*/false);
  EXPECT_EQ(Find(PresenceLogOf("room")), nullptr);
  EXPECT_EQ(Find("room")->presence(), nullptr);
  EXPECT_EQ(Memory(MemoryKind::kTopics), topics);
  EXPECT_EQ(Memory(MemoryKind::kLogs), logs);
  EXPECT_EQ(Memory(MemoryKind::kSessions), sessions);
}

TEST_P(PresenceTest, WatchersWhoLeaveWhileTheyWaitLeaveNothing) {
  auto ada = Join("ada", Shard(0));
  ada->Subscribe("room");
  const int64_t topics = Memory(MemoryKind::kTopics);
  const int64_t sessions = Memory(MemoryKind::kSessions);
  Watch(ada.get());
  for (size_t i = 0; i < 6; ++i) {
    auto other = Join(absl::StrCat("user", i), Shard(i));
    Watch(other.get());
    if (i % 2 == 0) other->Unsubscribe("room");
  }
  ada->Unsubscribe("room");
  ada->Subscribe("room");
  Pass(2 * kSecond);
  EXPECT_EQ(Memory(MemoryKind::kTopics), topics);
  EXPECT_EQ(Memory(MemoryKind::kSessions), sessions);
}

TEST_P(PresenceTest, AsManyQuestionsAtATimeAsAClientCanReadAnswers) {
  auto ada = Join("ada", Shard(0));
  auto bob = Join("bob", Shard(1));
  Watch(bob.get());
  v1::ClientFrame subscribe;
  subscribe.mutable_subscribe()->set_topic("room");
  subscribe.mutable_subscribe()->set_presence(true);
  v1::ClientFrame unsubscribe;
  unsubscribe.mutable_unsubscribe()->set_topic("room");
  // Each waits for what is not told yet: ada's own coming and going.
  for (int i = 0; i < 1000; ++i) {
    ada->Send(subscribe);
    ada->Send(unsubscribe);
  }
  EXPECT_TRUE(ada->reading_paused);
  EXPECT_GT(ada->unread(), 1000u);
  // Nobody is held for ever.
  for (int i = 0; i < 20; ++i) Pass(kSecond);
  EXPECT_FALSE(ada->reading_paused);
  EXPECT_EQ(ada->unread(), 0u);
  News(ada.get());
  Watch(ada.get());
  Pass(kSecond);
  const auto news = News(ada.get());
  ASSERT_EQ(news.size(), 1u);
  EXPECT_THAT(news[0], testing::HasSubstr(": ada,bob; 2 sessions, 2 users"));
}

TEST_P(PresenceTest, ManyTopicsMayBeWatchedAtOnce) {
  auto ada = Join("ada", Shard(0));
  auto bob = Join("bob", Shard(1));
  for (int i = 0; i < 64; ++i) Watch(bob.get(), true, absl::StrCat("room", i));
  for (int i = 0; i < 64; ++i) Watch(ada.get(), true, absl::StrCat("room", i));
  EXPECT_FALSE(ada->reading_paused);
  Pass(kTick);
  EXPECT_EQ(News(ada.get()).size(), 64u);
}

TEST_P(PresenceTest, OfTheTopicThatEverySessionFollows) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get(), true, "");
  EXPECT_THAT(News(ada.get()), ElementsAre("v1: ada; 1 sessions, 1 users"));
  {
    auto bob = Join("bob", Shard(1));
    Pass(kSecond);
    EXPECT_THAT(News(ada.get()), ElementsAre("v2: +bob; 2 sessions, 2 users"));
  }
  Pass(kSecond);
  EXPECT_THAT(News(ada.get()), ElementsAre("v3: -bob; 1 sessions, 1 users"));
}

TEST_P(PresenceTest, NoGhostAfterAnyEnd) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  News(ada.get());
  for (const OutcomeInfo& info : AllOutcomes()) {
    auto bob = Follower("bob", 1);
    auto nobody = Follower({}, 2);
    Pass(kSecond);
    EXPECT_EQ(News(ada.get()).size(), 1u) << info.name;
    bob->Leave(info.outcome);
    nobody->Leave(info.outcome);
    Pass(kSecond);
    EXPECT_THAT(News(ada.get()), ElementsAre(testing::HasSubstr(": -bob; 1 sessions, 1 users")))
        << info.name;
  }
}

TEST_P(PresenceTest, AWatchedTopicCountsTwice) {
  options.max_topics_per_session = 2;
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  Watch(ada.get(), false, "other");
  EXPECT_THAT(News(ada.get()), ElementsAre("v1: ada; 1 sessions, 1 users", "TOO_MANY_TOPICS"));
  Watch(ada.get(), false);
  Watch(ada.get(), false, "other");
  EXPECT_THAT(News(ada.get()), IsEmpty());
  EXPECT_TRUE(ada->session().following().Follows("other"));
}

TEST_P(PresenceTest, WaitsWhileMemoryIsUsedUp) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  News(ada.get());
  auto bob = Follower("bob", 1);
  const auto all = static_cast<int64_t>(options.memory_budget);
  engine().memory().Add(all);
  Pass(2 * kSecond);
  EXPECT_THAT(News(ada.get()), IsEmpty());
  engine().memory().Add(-all);
  Pass(kTick);
  EXPECT_THAT(News(ada.get()), ElementsAre("v2: +bob; 2 sessions, 2 users"));
}

TEST_P(PresenceTest, ItsLogCannotBeNamed) {
  auto ada = Join("ada", Shard(0));
  Watch(ada.get());
  News(ada.get());
  ada->Subscribe(PresenceLogOf("room"));
  ada->Broadcast("forged", PresenceLogOf("room"));
  EXPECT_THAT(News(ada.get()), ElementsAre("INVALID_UTF8", "INVALID_UTF8"));
  EXPECT_THAT(ada->session().following().Topics(), ElementsAre("room"));
  EXPECT_EQ(ada->session().following().topic_count(), 1u);
  int64_t topics = 0;
  for (size_t i = 0; i < options.shards; ++i) topics += metrics(i).topics.value();
  EXPECT_EQ(topics, 2);  // and the one that every session follows
}

// --- Permissions.

class PresenceAuthTest : public PresenceTest {
 protected:
  PresenceAuthTest() { options.authenticator = &authenticator_; }

  std::unique_ptr<FakeClient> JoinAs(const std::string& user, const std::string& permissions) {
    SessionOptions session;
    session.encoding = &CanonicalEncoding();
    session.grant =
        Grant{.user_id = user,
              .permissions = std::make_shared<const Permissions>(*Permissions::Parse(permissions)),
              .ends_at = 0};
    return std::make_unique<FakeClient>(&engine(), 0, session);
  }

 private:
  FakeAuthenticator authenticator_;
};
INSTANTIATE_TEST_SUITE_P(Shards, PresenceAuthTest, testing::Values(1, 2));

TEST_P(PresenceAuthTest, NeedsWhatAQuestionNeeds) {
  auto ada = JoinAs("ada", "subscribe=**");
  Watch(ada.get());
  EXPECT_THAT(News(ada.get()), ElementsAre("PERMISSION_DENIED"));
  EXPECT_FALSE(ada->session().following().Follows("room"));
  auto bob = JoinAs("bob", "presence subscribe=other");
  Watch(bob.get());
  EXPECT_THAT(News(bob.get()), ElementsAre("PERMISSION_DENIED"));
  auto carol = JoinAs("carol", "presence subscribe=**");
  Watch(carol.get());
  EXPECT_THAT(News(carol.get()), ElementsAre("v1: carol; 1 sessions, 1 users"));
}

TEST_P(PresenceAuthTest, EndsWithATokenThatNoLongerGrantsIt) {
  auto ada = JoinAs("ada", "presence subscribe=**");
  Watch(ada.get());
  News(ada.get());
  v1::ClientFrame frame;
  frame.mutable_auth()->set_token("ada|0|subscribe=**");
  ada->Send(std::move(frame));
  EXPECT_THAT(News(ada.get()), ElementsAre("PERMISSION_DENIED"));
  EXPECT_TRUE(ada->session().following().Follows("room"));
  EXPECT_FALSE(ada->session().following().Watches("room"));
  auto bob = JoinAs("bob", "subscribe=**");
  bob->Subscribe("room");
  Pass(2 * kSecond);
  EXPECT_THAT(News(ada.get()), IsEmpty());
}

}  // namespace
}  // namespace crier
