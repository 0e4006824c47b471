// What the log says of a web page that may not connect.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "server/websocket/http_routes.h"

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string TextOf(const std::string& origin, uint64_t left_out = 0,
                   std::string_view allowed = {}) {
  HttpRequest request;
  request.set(boost::beast::http::field::origin, origin);
  WebSocketOptions options;
  options.allowed_origins = *OriginRules::Parse(allowed);
  return RefusedOriginText(request, options, "192.0.2.1", left_out);
}

TEST(RefusedOriginTest, NamesTheOriginAndTheFlagThatAllowsIt) {
  EXPECT_THAT(TextOf("https://other.example"),
              AllOf(HasSubstr("'https://other.example', for 192.0.2.1;"),
                    HasSubstr("--allowed_origins=https://other.example allows it"),
                    Not(HasSubstr("more"))));
}

TEST(RefusedOriginTest, TheFlagKeepsWhatIsAllowedAlready) {
  EXPECT_THAT(
      TextOf("https://c.example:8443", 0, "https://a.example, https://b.example"),
      HasSubstr("--allowed_origins=https://a.example,https://b.example,https://c.example:8443 "));
}

TEST(RefusedOriginTest, SaysHowManyWereNotLogged) {
  EXPECT_THAT(TextOf("https://other.example", 12),
              EndsWith("(12 more refused since the last such line)"));
}

TEST(RefusedOriginTest, WhatCannotBeListedNeedsAll) {
  for (const char* origin :
       {"", "other.example", "https://a.example/", "https://a.example,https://b.example"}) {
    EXPECT_THAT(TextOf(origin), HasSubstr("--allowed_origins=* allows it, and every other"))
        << origin;
  }
}

TEST(RefusedOriginTest, IsOneLineWhateverTheClientSends) {
  const std::string text = TextOf("https://\x1b[31m\xff\t" + std::string(5000, 'x'));
  for (const char c : text) EXPECT_TRUE(c >= ' ' && c < 0x7f) << int{c};
  EXPECT_LT(text.size(), 500u);
}

}  // namespace
}  // namespace crier
