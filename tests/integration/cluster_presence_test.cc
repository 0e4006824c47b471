// Who comes to a topic and who goes on another node (Subscribe.presence): nodes on a real Redis.
#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/bus_node.h"

namespace crier {
namespace {

using testing::BusNode;
using testing::BusTest;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Reader;
using testing::RedisServer;
using ::testing::UnorderedElementsAre;

class ClusterPresenceTest : public BusTest {
 protected:
  ClusterPresenceTest() : a_(AddNode(redis_.url())), b_(AddNode(redis_.url())) {}

  static void Watch(Reader& reader, bool presence = true, const std::string& topic = "room") {
    v1::ClientFrame frame;
    frame.mutable_subscribe()->set_topic(topic);
    frame.mutable_subscribe()->set_presence(presence);
    reader->Send(std::move(frame));
  }
  // What a client knows that applies all that it was told, from its last snapshot on.
  struct Known {
    uint64_t version = 0;
    std::set<std::string> users;
    uint64_t user_count = 0;
    uint64_t sessions = 0;
    size_t snapshots = 0;
    std::vector<std::string> changes;  // "+ada -bob"
  };
  static Known KnownBy(const Reader& reader) {
    Known known;
    for (const v1::Event& event : reader.events()) {
      if (event.has_presence()) {
        const v1::Presence& presence = event.presence();
        known = {.version = presence.version(),
                 .users = {presence.users().begin(), presence.users().end()},
                 .user_count = presence.user_count(),
                 .sessions = presence.sessions(),
                 .snapshots = known.snapshots + 1,
                 .changes = {}};
      }
      if (!event.has_presence_change()) continue;
      const v1::PresenceChange& change = event.presence_change();
      EXPECT_EQ(change.version(), ++known.version);
      std::string text;
      for (const std::string& user : change.joined()) {
        EXPECT_TRUE(known.users.insert(user).second) << user;
        absl::StrAppend(&text, "+", user, " ");
      }
      for (const std::string& user : change.left()) {
        EXPECT_EQ(known.users.erase(user), 1u) << user;
        absl::StrAppend(&text, "-", user, " ");
      }
      known.user_count = change.user_count();
      known.sessions = change.sessions();
      if (!text.empty()) known.changes.push_back(text.substr(0, text.size() - 1));
    }
    return known;
  }
  void UntilSnapshots(const Reader& reader, size_t count) {
    Until("who is there is told", [&] { return KnownBy(reader).snapshots == count; });
  }
  void UntilSessions(const Reader& reader, uint64_t sessions) {
    Until(absl::StrCat("it is told of ", sessions, " sessions"),
          [&] { return KnownBy(reader).sessions == sessions; });
  }

  RedisServer redis_;
  BusNode& a_;
  BusNode& b_;
};

TEST_F(ClusterPresenceTest, BeginsWithWhoIsOnAllNodes) {
  Reader& bob = Join(b_, "bob");
  Reader& eve = Join(b_, "eve", 1, TextLineEncoding());
  Reader& ada = Join(a_, "ada");
  Subscribe(bob, "room");
  Subscribe(eve, "room");
  Watch(ada);
  UntilSnapshots(ada, 1);
  const Known known = KnownBy(ada);
  EXPECT_THAT(known.users, UnorderedElementsAre("ada", "bob", "eve"));
  EXPECT_EQ(known.user_count, 3u);
  EXPECT_EQ(known.sessions, 3u);
  EXPECT_EQ(known.version, 1u);
  EXPECT_THAT(known.changes, IsEmpty());
}

TEST_F(ClusterPresenceTest, WhoComesAndGoesElsewhereIsTold) {
  Reader& ada = Join(a_, "ada");
  Reader& bob = Join(b_, "bob");
  Watch(ada);
  UntilSnapshots(ada, 1);
  Subscribe(bob, "room");
  UntilSessions(ada, 2);
  bob->Unsubscribe("room");
  UntilSessions(ada, 1);
  EXPECT_THAT(KnownBy(ada).changes, ElementsAre("+bob", "-bob"));
  Subscribe(bob, "room");
  UntilSessions(ada, 2);
  bob->Leave();
  UntilSessions(ada, 1);
  EXPECT_THAT(KnownBy(ada).changes, ElementsAre("+bob", "-bob", "+bob", "-bob"));
}

TEST_F(ClusterPresenceTest, AUserOfTwoNodesComesOnceAndGoesWithTheLastSession) {
  Reader& ada = Join(a_, "ada");
  Watch(ada);
  UntilSnapshots(ada, 1);
  Reader& there = Join(b_, "bob");
  Reader& here = Join(a_, "bob", 1);
  Subscribe(there, "room");
  UntilSessions(ada, 2);
  Subscribe(here, "room");
  UntilSessions(ada, 3);
  EXPECT_EQ(KnownBy(ada).user_count, 2u);
  there->Leave();
  UntilSessions(ada, 2);
  EXPECT_EQ(KnownBy(ada).user_count, 2u);
  // The other way round.
  Reader& again = Join(b_, "bob");
  Subscribe(again, "room");
  UntilSessions(ada, 3);
  here->Leave();
  UntilSessions(ada, 2);
  EXPECT_EQ(KnownBy(ada).user_count, 2u);
  again->Leave();
  UntilSessions(ada, 1);
  EXPECT_THAT(KnownBy(ada).changes, ElementsAre("+bob", "-bob"));
}

TEST_F(ClusterPresenceTest, SessionsOfNobodyCount) {
  Reader& ada = Join(a_, "ada");
  Reader& nobody = Join(b_);
  Watch(ada);
  UntilSnapshots(ada, 1);
  Subscribe(nobody, "room");
  UntilSessions(ada, 2);
  EXPECT_EQ(KnownBy(ada).user_count, 1u);
  nobody->Leave();
  UntilSessions(ada, 1);
}

TEST_F(ClusterPresenceTest, WatchersOfTwoNodesKnowTheSame) {
  Reader& ada = Join(a_, "ada");
  Reader& bob = Join(b_, "bob");
  Watch(ada);
  Watch(bob);
  UntilSessions(ada, 2);
  UntilSessions(bob, 2);
  EXPECT_EQ(KnownBy(ada).users, KnownBy(bob).users);
  Reader& eve = Join(a_, "eve", 1);
  Subscribe(eve, "room");
  UntilSessions(ada, 3);
  UntilSessions(bob, 3);
  EXPECT_EQ(KnownBy(ada).users, KnownBy(bob).users);
}

TEST_F(ClusterPresenceTest, ANodeThatComesLaterIsKnown) {
  Reader& ada = Join(a_, "ada");
  Watch(ada);
  UntilSnapshots(ada, 1);
  BusNode& later = AddNode(redis_.url());
  Reader& bob = Join(later, "bob");
  Subscribe(bob, "room");
  UntilSessions(ada, 2);
  EXPECT_THAT(KnownBy(ada).changes, ElementsAre("+bob"));
}

TEST_F(ClusterPresenceTest, WhoWatchesAgainIsToldAll) {
  Reader& ada = Join(a_, "ada");
  Reader& bob = Join(b_, "bob");
  Subscribe(bob, "room");
  Watch(ada);
  UntilSnapshots(ada, 1);
  Watch(ada, /*presence=*/false);
  bob->Leave();
  Reader& eve = Join(b_, "eve");
  Subscribe(eve, "room");
  Watch(ada);
  UntilSnapshots(ada, 2);
  // What has just happened over there may be on its way.
  Until("it is as it is there", [&] {
    const Known known = KnownBy(ada);
    return known.users == std::set<std::string>{"ada", "eve"} && known.sessions == 2;
  });
}

TEST_F(ClusterPresenceTest, ACrowdIsCountedAndItsNamesAreBounded) {
  constexpr size_t kCrowd = 1500;
  Reader& ada = Join(a_, "ada");
  Reader& one = Join(b_, "user0");
  Subscribe(one, "room");
  Watch(ada);
  UntilSnapshots(ada, 1);
  std::vector<std::unique_ptr<FakeClient>> crowd;
  for (size_t i = 1; i < kCrowd; ++i) {
    // Names so long that one frame does not hold them all.
    crowd.push_back(b_.Join(absl::StrCat("user", i, std::string(40, 'x')), i % 2));
    crowd.back()->Subscribe("room");
  }
  // A count of sessions may be told a moment before the users.
  const auto until_users = [this](Reader& reader, size_t count) {
    Until("all of its users are known", [&] { return KnownBy(reader).user_count == count; });
  };
  UntilSessions(ada, kCrowd + 1);
  until_users(ada, kCrowd + 1);
  Reader& eve = Join(a_, "eve", 1);
  Watch(eve);
  UntilSnapshots(eve, 1);
  EXPECT_EQ(KnownBy(eve).users.size(), 1000u);
  EXPECT_EQ(KnownBy(eve).user_count, kCrowd + 2);
  // Whoever watches from a third node gets all of them at once.
  Reader& bob = Join(AddNode(redis_.url()), "bob");
  Watch(bob);
  UntilSnapshots(bob, 1);
  UntilSessions(bob, kCrowd + 3);
  until_users(bob, kCrowd + 3);
  crowd.clear();
  UntilSessions(ada, 4);
  until_users(ada, 4);
}

TEST_F(ClusterPresenceTest, TheTopicThatEveryoneFollowsIsWatchedToo) {
  Reader& ada = Join(a_, "ada");
  Watch(ada, /*presence=*/true, "");
  UntilSnapshots(ada, 1);
  Reader& bob = Join(b_, "bob");
  UntilSessions(ada, 2);
  EXPECT_THAT(KnownBy(ada).changes, ElementsAre("+bob"));
  bob->Leave();
  UntilSessions(ada, 1);
}

TEST_F(ClusterPresenceTest, WhoWatchesOneTopicAfterTheOtherFillsNoMemoryElsewhere) {
  // More than a node keeps of those that nobody watches any more.
  constexpr size_t kTopics = 5000;
  Reader& ada = Join(a_, "ada");
  const auto kept_by_b = [this] {
    int64_t bytes = 0;
    for (size_t shard = 0; shard < options.shards; ++shard) {
      bytes += b_.metrics(shard).memory[static_cast<size_t>(MemoryKind::kCluster)].value();
    }
    return bytes;
  };
  auto watch_up_to = [&, i = size_t{0}](size_t end) mutable {
    for (; i < end; ++i) {
      const std::string topic = absl::StrCat("room ", i);
      Watch(ada, /*presence=*/true, topic);
      Watch(ada, /*presence=*/false, topic);
      ada->Unsubscribe(topic);
      if (i % 20 == 0) Run();
    }
    Settle();
  };
  const int64_t before = kept_by_b();
  watch_up_to(kTopics / 6);
  const int64_t of_a_topic = (kept_by_b() - before) / static_cast<int64_t>(kTopics / 6);
  ASSERT_GT(of_a_topic, 0);
  watch_up_to(kTopics);
  Until("it keeps no more than the first node",
        [&] { return kept_by_b() - before < static_cast<int64_t>(kTopics / 2) * of_a_topic; });
}

TEST_F(ClusterPresenceTest, NodesAndSessionsHaveNamesOfTheirOwn) {
  Reader& ada = Join(a_, "ada");
  Reader& bob = Join(b_, "bob");
  EXPECT_NE(a_.engine().bus().shared()->node(), b_.engine().bus().shared()->node());
  // Also when both nodes have had billions of sessions.
  EXPECT_NE(ada->session().id() >> 36, bob->session().id() >> 36);
}

}  // namespace
}  // namespace crier
