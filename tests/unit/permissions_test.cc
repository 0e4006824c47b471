#include "server/auth/permissions.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace crier {
namespace {

bool Matches(std::string_view pattern, std::string_view topic, std::string_view user = "alice") {
  const auto parsed = TopicPattern::Parse(pattern);
  EXPECT_TRUE(std::holds_alternative<TopicPattern>(parsed)) << pattern;
  return std::get<TopicPattern>(parsed).Matches(topic, user);
}

bool IsPattern(std::string_view text) {
  return std::holds_alternative<TopicPattern>(TopicPattern::Parse(text));
}

TEST(TopicPatternTest, AWordStandsForItself) {
  EXPECT_TRUE(Matches("news", "news"));
  EXPECT_FALSE(Matches("news", "new"));
  EXPECT_FALSE(Matches("news", "newss"));
  EXPECT_FALSE(Matches("news", "News"));
  EXPECT_FALSE(Matches("news", "news.today"));
  EXPECT_FALSE(Matches("news.today", "news"));
  EXPECT_FALSE(Matches("news", "news."));
}

TEST(TopicPatternTest, AStarStandsForOneSegment) {
  EXPECT_TRUE(Matches("chat.*", "chat.1"));
  EXPECT_TRUE(Matches("*.chat", "1.chat"));
  EXPECT_TRUE(Matches("a.*.c", "a.b.c"));
  EXPECT_FALSE(Matches("chat.*", "chat"));
  EXPECT_FALSE(Matches("chat.*", "chat.1.2"));
  EXPECT_FALSE(Matches("a.*.c", "a.b.d"));
}

TEST(TopicPatternTest, TwoStarsStandForTheRestAndForNothing) {
  EXPECT_TRUE(Matches("chat.**", "chat"));
  EXPECT_TRUE(Matches("chat.**", "chat.1"));
  EXPECT_TRUE(Matches("chat.**", "chat.1.2.3"));
  EXPECT_FALSE(Matches("chat.**", "chatter"));
  EXPECT_TRUE(Matches("**", "anything.at.all"));
}

TEST(TopicPatternTest, TheTopicWithoutANameHasNoSegment) {
  EXPECT_TRUE(Matches("", ""));
  EXPECT_FALSE(Matches("", "news"));
  EXPECT_TRUE(Matches("**", ""));
  EXPECT_FALSE(Matches("*", ""));
  EXPECT_FALSE(Matches("news", ""));
}

TEST(TopicPatternTest, SubIsTheUsersOwnSegment) {
  EXPECT_TRUE(Matches("user.{sub}.**", "user.alice.inbox"));
  EXPECT_FALSE(Matches("user.{sub}.**", "user.bob.inbox"));
  EXPECT_FALSE(Matches("user.{sub}", "user.{sub}"));
  // No wildcard by one's name.
  EXPECT_FALSE(Matches("user.{sub}", "user.bob", "*"));
  EXPECT_FALSE(Matches("user.{sub}", "user.bob", "**"));
  // Nobody, and a user with a dot, have no segment.
  EXPECT_FALSE(Matches("user.{sub}", "user.", ""));
  EXPECT_FALSE(Matches("user.{sub}.**", "user.alice.inbox", "alice.inbox"));
}

TEST(TopicPatternTest, WhatIsNoPattern) {
  EXPECT_FALSE(IsPattern("chat.**.x"));
  EXPECT_FALSE(IsPattern("ch*"));
  EXPECT_FALSE(IsPattern("{user}"));
  EXPECT_FALSE(IsPattern("x{sub}"));
  EXPECT_FALSE(IsPattern("***"));
  EXPECT_FALSE(IsPattern(std::string(256, 'x')));
  EXPECT_TRUE(IsPattern(std::string(255, 'x')));
}

TEST(PermissionsTest, NothingIsAllowedUnlessItIsSaid) {
  const Permissions none;
  EXPECT_FALSE(none.MayPublish("", "alice"));
  EXPECT_FALSE(none.MaySubscribe("", "alice"));
  EXPECT_FALSE(none.direct || none.presence || none.history || none.admin);
}

TEST(PermissionsTest, AFlagSaysThemInWords) {
  const auto read =
      Permissions::Parse("publish=chat.* publish=log  subscribe= subscribe=user.{sub}.** direct");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->MayPublish("chat.1", "alice"));
  EXPECT_TRUE(read->MayPublish("log", "alice"));
  EXPECT_FALSE(read->MayPublish("", "alice"));
  EXPECT_TRUE(read->MaySubscribe("", "alice"));
  EXPECT_TRUE(read->MaySubscribe("user.alice.x", "alice"));
  EXPECT_FALSE(read->MaySubscribe("user.alice.x", "bob"));
  EXPECT_TRUE(read->direct);
  EXPECT_FALSE(read->presence || read->history || read->admin);
}

TEST(PermissionsTest, AllIsAllButAdmin) {
  const auto all = Permissions::Parse("all");
  ASSERT_TRUE(all.ok());
  EXPECT_TRUE(all->MayPublish("", "") && all->MaySubscribe("a.b", ""));
  EXPECT_TRUE(all->direct && all->presence && all->history);
  EXPECT_FALSE(all->admin);
  const auto none = Permissions::Parse("none");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->MaySubscribe("", ""));
}

TEST(PermissionsTest, AWrongWordIsNamed) {
  const auto wrong = Permissions::Parse("direct publsh=x");
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(std::string(wrong.status().message()).find("\"publsh=x\""), std::string::npos);
  EXPECT_FALSE(Permissions::Parse("publish=a*").ok());
}

TEST(PermissionsTest, AListIsBounded) {
  std::vector<TopicPattern> list;
  for (size_t i = 0; i < Permissions::kMaxPatterns; ++i) {
    EXPECT_EQ(Permissions::Add("x", &list), "");
  }
  EXPECT_NE(Permissions::Add("x", &list), "");
}

}  // namespace
}  // namespace crier
