// Sessions of clients that are authenticated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "tests/support/engine_fixture.h"
#include "tests/support/fake_authenticator.h"

namespace crier {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EngineAuthTest : public EngineTest {
 protected:
  EngineAuthTest() {
    options.shards = 2;
    options.authenticator = &authenticator_;
  }

  int64_t WallSeconds() { return clock.WallNanos() / 1'000'000'000; }

  // A token of this user, which ends in so many seconds.
  std::string Token(std::string_view user, std::string_view permissions = "all",
                    int64_t lasts = 3600) {
    return std::string(user) + "|" + std::to_string(WallSeconds() + lasts) + "|" +
           std::string(permissions);
  }

  // A session whose request brought this token; without one, it waits for it.
  std::unique_ptr<FakeClient> JoinWith(const std::string& token = {}, size_t shard = 0) {
    SessionOptions session;
    session.kind = TransportKind::kGrpc;
    session.encoding = &CanonicalEncoding();
    session.adopt_user_id = true;
    session.welcome = true;
    if (!token.empty()) {
      session.grant = std::get<Grant>(authenticator_.Verify(token, WallSeconds()));
    }
    auto client = std::make_unique<FakeClient>(&engine(), shard, session);
    if (!token.empty()) client->Events();  // the welcome
    return client;
  }

  static v1::ClientFrame HelloWith(const std::string& token) {
    v1::ClientFrame frame;
    frame.mutable_hello()->set_token(token);
    return frame;
  }
  static v1::ClientFrame AuthWith(const std::string& token, const std::string& id = {}) {
    v1::ClientFrame frame;
    frame.mutable_auth()->set_token(token);
    frame.mutable_auth()->set_id(id);
    return frame;
  }
  static v1::ClientFrame WhoFollows(const std::string& topic) {
    v1::ClientFrame frame;
    frame.mutable_presence()->set_topic(topic);
    return frame;
  }

  // What the client was refused since the last call: "OUTCOME: words".
  static std::vector<std::string> Refusals(FakeClient* client) {
    std::vector<std::string> texts;
    for (const v1::Event& event : client->Events()) {
      if (event.has_error())
        texts.push_back(event.error().outcome() + ": " + event.error().message());
    }
    return texts;
  }

  FakeAuthenticator authenticator_;
};

TEST_F(EngineAuthTest, TheSenderIsTheTokensUserWhateverFramesSay) {
  const auto alice = JoinWith(Token("alice"));
  const auto bob = JoinWith(Token("bob"), 1);
  v1::ClientFrame frame;
  frame.set_user_id("mallory");
  frame.mutable_publish()->set_action_type(v1::BROADCAST);
  frame.mutable_publish()->set_user_id("mallory");
  frame.mutable_publish()->set_body("hello");
  alice->Send(frame);
  const auto events = bob->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].message().user_id(), "alice");
  EXPECT_EQ(alice->session().user_id(), "alice");
  bob->Direct("alice", "for you");
  EXPECT_THAT(alice->Story(), ElementsAre("hello", "for you"));
}

TEST_F(EngineAuthTest, AClientWithoutATokenIsNobodyWhateverFramesSay) {
  authenticator_.anonymous =
      Grant{.permissions = std::make_shared<const Permissions>(Permissions::All())};
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.adopt_user_id = true;
  session.user_id = User("mallory");
  session.grant = authenticator_.Anonymous();
  FakeClient nobody(&engine(), 0, session);
  v1::ClientFrame frame;
  frame.set_user_id("alice");
  frame.mutable_publish()->set_action_type(v1::BROADCAST);
  frame.mutable_publish()->set_user_id("alice");
  frame.mutable_publish()->set_body("hello");
  nobody.Send(frame);
  EXPECT_EQ(nobody.session().user_id(), "");
  const auto events = nobody.Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].message().user_id(), "");
}

TEST_F(EngineAuthTest, PublishAndSubscribeByPattern) {
  const auto alice = JoinWith(Token("alice", "publish=chat.* subscribe=user.{sub}.**"));
  alice->Broadcast("yes", "chat.1");
  alice->Subscribe("user.alice.inbox");
  EXPECT_THAT(Refusals(alice.get()), IsEmpty());
  alice->Broadcast("no", "news");
  EXPECT_THAT(Refusals(alice.get()),
              ElementsAre("PERMISSION_DENIED: to publish to the topic \"news\" needs the claim "
                          "crier.publish with a pattern that matches it"));
  alice->Broadcast("no");
  EXPECT_THAT(Refusals(alice.get()),
              ElementsAre("PERMISSION_DENIED: to publish to the topic without a name needs the "
                          "claim crier.publish with a pattern that matches it"));
  alice->Subscribe("user.bob.inbox");
  EXPECT_THAT(
      Refusals(alice.get()),
      ElementsAre("PERMISSION_DENIED: to follow the topic \"user.bob.inbox\" needs the claim "
                  "crier.subscribe with a pattern that matches it"));
  EXPECT_FALSE(alice->closed.has_value());
}

TEST_F(EngineAuthTest, ARefusedPublishReachesNobody) {
  const auto bob = JoinWith(Token("bob"), 1);
  bob->Subscribe("news");
  const auto alice = JoinWith(Token("alice", "none"));
  alice->Broadcast("no", "news");
  alice->Broadcast("no");
  alice->Direct("bob", "no");
  EXPECT_THAT(bob->Story(), IsEmpty());
}

TEST_F(EngineAuthTest, ResumePointsAreSubscriptions) {
  const auto alice = JoinWith(Token("alice", "publish=** subscribe="));
  alice->Broadcast("secret", "news");
  const auto bob = JoinWith(Token("bob", "subscribe="));
  v1::ClientFrame hello;
  hello.mutable_hello()->add_resume()->set_topic("news");
  bob->Send(hello);
  const auto events = bob->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].error().outcome(), "PERMISSION_DENIED");
  EXPECT_THAT(events[0].error().message(), HasSubstr("\"news\""));
  bob->SubscribeFrom("news", 0, 0);
  EXPECT_THAT(Refusals(bob.get()), ElementsAre(HasSubstr("crier.subscribe")));
}

TEST_F(EngineAuthTest, DirectAndPresence) {
  const auto alice = JoinWith(Token("alice", "subscribe=chat.*"));
  const auto bob = JoinWith(Token("bob", "direct presence subscribe=chat.*"));
  alice->Direct("bob", "no");
  EXPECT_THAT(Refusals(alice.get()),
              ElementsAre("PERMISSION_DENIED: a direct message to a user needs the claim "
                          "crier.direct"));
  alice->Direct("", "to myself");
  EXPECT_THAT(alice->Story(), ElementsAre("to myself"));
  alice->Send(WhoFollows("chat.1"));
  EXPECT_THAT(
      Refusals(alice.get()),
      ElementsAre("PERMISSION_DENIED: to ask who follows the topic \"chat.1\" needs the claim "
                  "crier.presence"));
  bob->Direct("alice", "yes");
  EXPECT_THAT(alice->Story(), ElementsAre("yes"));
  bob->Events();
  bob->Send(WhoFollows("chat.1"));
  const auto events = bob->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].has_presence());
  bob->Send(WhoFollows("news"));
  EXPECT_THAT(Refusals(bob.get()), ElementsAre(HasSubstr("crier.subscribe")));
}

TEST_F(EngineAuthTest, WithoutPermissionTheEmptyTopicIsNotFollowed) {
  const auto all = JoinWith(Token("all"));
  const auto one = JoinWith(Token("one", "subscribe=news"), 1);
  all->Broadcast("to everybody");
  EXPECT_THAT(all->Story(), ElementsAre("to everybody"));
  EXPECT_THAT(one->Story(), IsEmpty());
  EXPECT_EQ(one->session().PositionIn("").head, 0u);
  one->Subscribe("");
  EXPECT_THAT(Refusals(one.get()), ElementsAre(HasSubstr("the topic without a name")));
}

TEST_F(EngineAuthTest, TheFirstFrameMayBringTheToken) {
  const auto bob = JoinWith(Token("bob"));
  for (const bool by_hello : {true, false}) {
    const auto alice = JoinWith();
    bob->Broadcast("before");
    EXPECT_THAT(alice->Events(), IsEmpty()) << "it is nobody yet";
    alice->Send(by_hello ? HelloWith(Token("alice")) : AuthWith(Token("alice"), "a1"));
    const auto events = alice->Events();
    ASSERT_EQ(events.size(), by_hello ? 1u : 2u);
    EXPECT_EQ(events[0].welcome().user_id(), "alice");
    if (!by_hello) {
      EXPECT_EQ(events[1].ack().id(), "a1");
      EXPECT_EQ(events[1].ack().user_id(), "alice");
    }
    bob->Broadcast("after");
    bob->Direct("alice", "direct");
    EXPECT_THAT(alice->Story(), ElementsAre("after", "direct"));
  }
}

TEST_F(EngineAuthTest, AnotherFirstFrameEndsTheSession) {
  const auto bob = JoinWith(Token("bob"));
  const auto alice = JoinWith();
  alice->Broadcast("no");
  EXPECT_EQ(alice->closed, Outcome::kUnauthenticated);
  EXPECT_THAT(bob->Story(), IsEmpty());
  const auto carol = JoinWith();
  carol->Send(HelloWith(""));
  EXPECT_EQ(carol->closed, Outcome::kUnauthenticated);
  const auto dave = JoinWith();
  dave->Send(HelloWith("forged"));
  EXPECT_EQ(dave->closed, Outcome::kUnauthenticated);
  EXPECT_THAT(dave->Events(), IsEmpty());
}

TEST_F(EngineAuthTest, ATokenThatDoesNotComeInTime) {
  const auto late = JoinWith();
  const auto there = JoinWith();
  there->Send(HelloWith(Token("alice")));
  Pass(seconds(9));
  EXPECT_FALSE(late->closed.has_value());
  Pass(seconds(2));
  EXPECT_EQ(late->closed, Outcome::kUnauthenticated);
  EXPECT_FALSE(there->closed.has_value());
}

TEST_F(EngineAuthTest, TheEndOfTheTokenEndsItsSession) {
  const auto alice = JoinWith(Token("alice", "all", 60));
  const auto bob = JoinWith(Token("bob", "all", 120));
  const auto carol = JoinWith();
  carol->Send(HelloWith(Token("carol", "all", 60)));
  Pass(seconds(59));
  EXPECT_FALSE(alice->closed || bob->closed || carol->closed);
  Pass(seconds(2));
  EXPECT_EQ(alice->closed, Outcome::kTokenExpired);
  EXPECT_EQ(carol->closed, Outcome::kTokenExpired);
  EXPECT_FALSE(bob->closed.has_value());
  alice->Leave(Outcome::kTokenExpired);
  EXPECT_EQ(
      metrics().of(TransportKind::kGrpc).ended[static_cast<size_t>(Outcome::kTokenExpired)].value(),
      1u);
}

TEST_F(EngineAuthTest, ANewTokenBeforeTheEnd) {
  const auto alice = JoinWith(Token("alice", "subscribe=** publish=news", 60));
  Pass(seconds(50));
  alice->Send(AuthWith(Token("alice", "subscribe=** publish=chat", 60), "a1"));
  const auto events = alice->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].ack().id(), "a1");
  Pass(seconds(50));
  EXPECT_FALSE(alice->closed.has_value());
  alice->Broadcast("yes", "chat");
  EXPECT_THAT(Refusals(alice.get()), IsEmpty());
  alice->Broadcast("no", "news");
  EXPECT_THAT(Refusals(alice.get()), ElementsAre(HasSubstr("\"news\"")));
  Pass(seconds(11));
  EXPECT_EQ(alice->closed, Outcome::kTokenExpired);
}

TEST_F(EngineAuthTest, AnotherUsersTokenEndsTheSession) {
  const auto alice = JoinWith(Token("alice"));
  alice->Send(AuthWith(Token("bob")));
  EXPECT_EQ(alice->closed, Outcome::kUnauthenticated);
  const auto carol = JoinWith(Token("carol"));
  carol->Send(AuthWith("forged"));
  EXPECT_EQ(carol->closed, Outcome::kUnauthenticated);
  const auto dave = JoinWith(Token("dave"));
  dave->Send(AuthWith(Token("dave", "all", -1)));
  EXPECT_EQ(dave->closed, Outcome::kTokenExpired);
}

TEST_F(EngineAuthTest, AnAnonymousSessionMayBecomeAUsers) {
  authenticator_.anonymous =
      Grant{.permissions = std::make_shared<const Permissions>(*Permissions::Parse("subscribe="))};
  SessionOptions session;
  session.encoding = &CanonicalEncoding();
  session.grant = authenticator_.Anonymous();
  FakeClient client(&engine(), 0, session);
  client.Broadcast("no");
  EXPECT_THAT(Refusals(&client), ElementsAre(HasSubstr("crier.publish")));
  client.Send(AuthWith(Token("alice")));
  client.Broadcast("yes");
  EXPECT_THAT(client.Story(), ElementsAre("yes"));
  client.Send(AuthWith(Token("bob")));
  EXPECT_EQ(client.closed, Outcome::kUnauthenticated);
}

TEST_F(EngineAuthTest, ANarrowerTokenEndsWhatItDoesNotAllow) {
  const auto bob = JoinWith(Token("bob"), 1);
  const auto alice = JoinWith(Token("alice"));
  alice->Subscribe("news");
  alice->Subscribe("chat");
  alice->Send(AuthWith(Token("alice", "subscribe= subscribe=chat")));
  EXPECT_THAT(Refusals(alice.get()),
              ElementsAre(HasSubstr("to follow the topic \"news\" needs the claim")));
  bob->Broadcast("1", "news");
  bob->Broadcast("2", "chat");
  EXPECT_THAT(alice->Story(), ElementsAre("2"));
  // The empty topic cannot be left; so the session is.
  alice->Send(AuthWith(Token("alice", "subscribe=chat")));
  EXPECT_EQ(alice->closed, Outcome::kPermissionDenied);
}

TEST_F(EngineAuthTest, AWiderTokenOpensTheEmptyTopic) {
  const auto bob = JoinWith(Token("bob"), 1);
  const auto alice = JoinWith(Token("alice", "none"));
  bob->Broadcast("1");
  alice->Send(AuthWith(Token("alice", "subscribe=")));
  bob->Broadcast("2");
  EXPECT_THAT(alice->Story(), ElementsAre("2"));
}

TEST_F(EngineAuthTest, TokensCostMuchSoTheirRateIsBounded) {
  const auto alice = JoinWith(Token("alice"));
  const int before = authenticator_.asked();
  const std::string token = Token("alice");
  for (int i = 0; i < 50; ++i) alice->Send(AuthWith(token));
  EXPECT_EQ(authenticator_.asked() - before, static_cast<int>(SessionAccess::kTokensPerSecond));
  EXPECT_THAT(Refusals(alice.get()), ::testing::Contains(HasSubstr("RATE_LIMITED")));
  Pass(seconds(1));
  alice->Send(AuthWith(token, "a1"));
  EXPECT_EQ(alice->Events().size(), 1u);
}

TEST_F(EngineAuthTest, WhatASessionKeepsIsGivenBack) {
  JoinWith(Token("first"));
  const int64_t before = Memory(MemoryKind::kSessions);
  {
    const auto alice = JoinWith(Token("alice", "subscribe=** publish=a publish=b"));
    const auto waiting = JoinWith();
    EXPECT_GT(Memory(MemoryKind::kSessions), before);
    alice->Send(AuthWith(Token("alice", "subscribe=** publish=a")));
  }
  EXPECT_EQ(Memory(MemoryKind::kSessions), before);
}

TEST_F(EngineAuthTest, WhereNobodyIsAuthenticatedTokensMeanNothing) {
  options.authenticator = nullptr;
  const auto client = Join("alice");
  client->Send(AuthWith("whatever", "a1"));
  const auto events = client->Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].ack().id(), "a1");
  client->Broadcast("yes");
  EXPECT_THAT(client->Story(), ElementsAre("yes"));
}

}  // namespace
}  // namespace crier
