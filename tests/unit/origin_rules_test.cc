// Which pages may connect, and by which names the server may be asked.
#include "server/net/origin_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(std::string_view list) {
  return std::string(OriginRules::Parse(list).status().message());
}

TEST(OriginRulesTest, WithoutAListNoneIsAllowed) {
  EXPECT_FALSE(OriginRules().Allows("https://a.example"));
  EXPECT_FALSE(OriginRules().Allows("null"));
  EXPECT_FALSE(OriginRules().Allows(""));
}

TEST(OriginRulesTest, AnOriginIsSchemeHostAndPort) {
  const OriginRules rules = *OriginRules::Parse(" https://a.example ,http://B.example:8080");
  EXPECT_TRUE(rules.Allows("https://a.example"));
  EXPECT_TRUE(rules.Allows("HTTPS://A.EXAMPLE"));
  EXPECT_TRUE(rules.Allows("http://b.example:8080"));
  EXPECT_FALSE(rules.Allows("http://a.example"));
  EXPECT_FALSE(rules.Allows("https://a.example:8443"));
  EXPECT_FALSE(rules.Allows("http://b.example"));
  EXPECT_FALSE(rules.Allows("https://a.example.evil"));
  EXPECT_FALSE(rules.Allows("https://evil-a.example"));
  EXPECT_EQ(rules.text(), "https://a.example,http://B.example:8080");
}

TEST(OriginRulesTest, ADefaultPortIsTheSameAsNone) {
  const OriginRules rules = *OriginRules::Parse("https://a.example:443,http://b.example");
  EXPECT_TRUE(rules.Allows("https://a.example"));
  EXPECT_TRUE(rules.Allows("http://b.example:80"));
  EXPECT_FALSE(rules.Allows("https://a.example:80"));
}

TEST(OriginRulesTest, AStarStandsForNamesBelow) {
  const OriginRules rules = *OriginRules::Parse("https://*.example.org");
  EXPECT_TRUE(rules.Allows("https://chat.example.org"));
  EXPECT_TRUE(rules.Allows("https://a.b.example.org"));
  EXPECT_FALSE(rules.Allows("https://example.org"));
  EXPECT_FALSE(rules.Allows("https://evilexample.org"));
  EXPECT_FALSE(rules.Allows("http://chat.example.org"));
  EXPECT_FALSE(rules.Allows("https://chat.example.org:1"));
}

TEST(OriginRulesTest, AStarStandsForEveryPort) {
  const OriginRules rules = *OriginRules::Parse("http://localhost:*");
  EXPECT_TRUE(rules.Allows("http://localhost"));
  EXPECT_TRUE(rules.Allows("http://localhost:3000"));
  EXPECT_FALSE(rules.Allows("http://localhost.evil:3000"));
}

TEST(OriginRulesTest, NullAndOtherSchemesCanBeListed) {
  EXPECT_TRUE(OriginRules::Parse("null")->Allows("null"));
  EXPECT_FALSE(OriginRules::Parse("https://null")->Allows("null"));
  EXPECT_TRUE(OriginRules::Parse("*")->Allows("null"));
  EXPECT_TRUE(OriginRules::Parse("*")->Allows("anything"));
  const OriginRules rules = *OriginRules::Parse("chrome-extension://abcdef,http://[::1]:8000");
  EXPECT_TRUE(rules.Allows("chrome-extension://abcdef"));
  EXPECT_TRUE(rules.Allows("http://[::1]:8000"));
  EXPECT_FALSE(rules.Allows("http://[::1]"));
}

TEST(OriginRulesTest, WhatCanNeverMatchIsRefusedWithWhatWouldBeRight) {
  EXPECT_THAT(ErrorOf("example.org"), HasSubstr("'example.org' is not an origin; write SCHEME://"));
  EXPECT_THAT(ErrorOf("https://a.example,https://b.example/"),
              HasSubstr("'https://b.example/' has a path, and no browser sends one; write "
                        "https://b.example"));
  EXPECT_THAT(ErrorOf("https://a.example/?x#y"), HasSubstr("write https://a.example"));
  EXPECT_THAT(ErrorOf("*.example.org"), HasSubstr("SCHEME://HOST"));
  EXPECT_THAT(ErrorOf("https://a*.example"), HasSubstr("https://*.example.org"));
  EXPECT_THAT(ErrorOf("*://a.example"), HasSubstr("scheme"));
  EXPECT_THAT(ErrorOf("https://"), HasSubstr("no host"));
  EXPECT_THAT(ErrorOf("https://us er.example"), HasSubstr("no host"));
  EXPECT_THAT(ErrorOf("https://user@a.example"), HasSubstr("no host"));
  EXPECT_THAT(ErrorOf("https://b\xc3\xbc.example"), HasSubstr("xn--"));
  for (const char* port : {"0", "65536", "x", "+80", "", "80x"}) {
    EXPECT_THAT(ErrorOf(std::string("https://a.example:") + port), HasSubstr("1 to 65535")) << port;
  }
}

TEST(SameOriginTest, IsHostAndPort) {
  EXPECT_TRUE(IsSameOrigin("http://a.example:8000", "a.example:8000", ""));
  EXPECT_TRUE(IsSameOrigin("https://A.example", "a.example", ""));
  EXPECT_TRUE(IsSameOrigin("https://a.example", "a.example:443", ""));
  EXPECT_TRUE(IsSameOrigin("http://[::1]:8000", "[::1]:8000", ""));
  EXPECT_FALSE(IsSameOrigin("https://a.example", "a.example:80", ""));
  EXPECT_FALSE(IsSameOrigin("http://a.example", "a.example:8000", ""));
  EXPECT_FALSE(IsSameOrigin("null", "null", ""));
  EXPECT_FALSE(IsSameOrigin("", "", ""));
}

TEST(SameOriginTest, AndTheSchemeWhereItIsKnown) {
  EXPECT_TRUE(IsSameOrigin("https://a.example", "a.example", "https"));
  EXPECT_FALSE(IsSameOrigin("http://a.example", "a.example", "https"));
}

TEST(HostRulesTest, AddressesAndLocalhostAreAlwaysAllowed) {
  const HostRules rules;
  EXPECT_TRUE(rules.empty());
  for (const char* host : {"127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "192.0.2.7", "localhost",
                           "Localhost:8000", "localhost.", "app.localhost"}) {
    EXPECT_TRUE(rules.Allows(host)) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "",
                           "a b", "[evil]", "127.0.0.1:x"}) {
    EXPECT_FALSE(rules.Allows(host)) << host;
  }
}

TEST(HostRulesTest, ListedNamesAreAllowedOnEveryPort) {
  const HostRules rules = *HostRules::Parse("Chat.example.org, *.example.net");
  EXPECT_TRUE(rules.Allows("chat.example.org"));
  EXPECT_TRUE(rules.Allows("CHAT.example.org.:8000"));
  EXPECT_TRUE(rules.Allows("a.b.example.net"));
  EXPECT_FALSE(rules.Allows("example.net"));
  EXPECT_FALSE(rules.Allows("example.org"));
  EXPECT_TRUE(HostRules::Parse("*")->Allows("evil.example"));
}

TEST(HostRulesTest, AWrongEntryIsNamed) {
  for (const char* entry : {"https://a.example", "a.example:8000", "a.example/", "a*.example"}) {
    EXPECT_THAT(std::string(HostRules::Parse(entry).status().message()),
                AllOf(HasSubstr(entry), HasSubstr("only the name")));
  }
}

}  // namespace
}  // namespace crier
