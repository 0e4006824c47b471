// The cluster's URL: what it may say, and what is said about wrong ones.
#include "server/cluster/redis_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ClusterUrl Parsed(std::string_view text) {
  absl::StatusOr<ClusterUrl> url = ParseClusterUrl(text);
  if (!url.ok()) {
    ADD_FAILURE() << text << ": " << url.status();
    return {.servers = {RedisAddress{}}};
  }
  return *std::move(url);
}

RedisAddress One(std::string_view text) { return Parsed(text).servers.at(0); }

std::string ErrorOf(std::string_view text) {
  const absl::StatusOr<ClusterUrl> url = ParseClusterUrl(text);
  EXPECT_EQ(url.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(url.status().message());
}

TEST(RedisAddressTest, AHostIsEnough) {
  const ClusterUrl url = Parsed("redis://cache.example");
  ASSERT_EQ(url.servers.size(), 1u);
  EXPECT_EQ(url.prefix, "crier:");
  const RedisAddress& address = url.servers[0];
  EXPECT_EQ(address.host, "cache.example");
  EXPECT_EQ(address.port, 6379);
  EXPECT_EQ(address.database, 0);
  EXPECT_FALSE(address.tls);
  EXPECT_TRUE(address.user.empty() && address.password.empty() && address.sentinels.empty());
  EXPECT_EQ(address.Text(), "redis://cache.example:6379/0");
}

TEST(RedisAddressTest, EverythingOfOneServer) {
  const ClusterUrl url =
      Parsed("rediss://al%40ice:p%3Aa%2fss%2C%25@[::1]:7000/3?prefix=chat%3A&ca=/etc/my%20ca.pem");
  const RedisAddress& address = url.servers.at(0);
  EXPECT_EQ(address.host, "::1");
  EXPECT_EQ(address.port, 7000);
  EXPECT_EQ(address.user, "al@ice");
  EXPECT_EQ(address.password, "p:a/ss,%");
  EXPECT_EQ(address.database, 3);
  EXPECT_TRUE(address.tls);
  EXPECT_EQ(address.ca_file, "/etc/my ca.pem");
  EXPECT_EQ(url.prefix, "chat:");
  EXPECT_EQ(address.Text(), "rediss://[::1]:7000/3");
}

TEST(RedisAddressTest, APasswordAloneIsTheDefaultUsers) {
  const RedisAddress address = One("redis://:secret@10.0.0.1/");
  EXPECT_EQ(address.user, "");
  EXPECT_EQ(address.password, "secret");
  EXPECT_EQ(address.host, "10.0.0.1");
}

TEST(RedisAddressTest, SeveralServersHaveASchemeEach) {
  const ClusterUrl url = Parsed("redis://a, rediss://:x@b:1/2,redis://[::1]?prefix=p:");
  ASSERT_EQ(url.servers.size(), 3u);
  EXPECT_EQ(url.servers[0].Text(), "redis://a:6379/0");
  EXPECT_EQ(url.servers[1].Text(), "rediss://b:1/2");
  EXPECT_EQ(url.servers[2].Text(), "redis://[::1]:6379/0");
  EXPECT_EQ(url.prefix, "p:");
}

TEST(RedisAddressTest, SentinelsHaveCommasOfTheirOwn) {
  const ClusterUrl url = Parsed(
      "redis+sentinel://u:pw@s1,s2:26380,[::1]:5/main/4,redis://b,redis+sentinel://s3/other");
  ASSERT_EQ(url.servers.size(), 3u);
  const RedisAddress& first = url.servers[0];
  EXPECT_EQ(first.host, "");
  EXPECT_EQ(first.user, "u");
  EXPECT_EQ(first.password, "pw");
  const std::vector<HostPort> sentinels = {{"s1", 26379}, {"s2", 26380}, {"::1", 5}};
  EXPECT_EQ(first.sentinels, sentinels);
  EXPECT_EQ(first.master_name, "main");
  EXPECT_EQ(first.database, 4);
  EXPECT_EQ(first.Text(), "redis+sentinel://s1:26379,s2:26380,[::1]:5/main/4");
  EXPECT_EQ(url.servers[1].Text(), "redis://b:6379/0");
  EXPECT_EQ(url.servers[2].master_name, "other");
}

struct WrongUrl {
  const char* url;
  const char* says;
};

TEST(RedisAddressTest, WrongOnesSayWhatWouldBeRight) {
  const WrongUrl wrong[] = {
      {"", "the scheme is missing; write e.g. redis://127.0.0.1:6379"},
      {"localhost:6379", "the scheme is missing"},
      {"http://a", "the scheme has to be redis, rediss (TLS) or redis+sentinel"},
      {"redis://", "the host is missing"},
      {"redis:///1", "the host is missing"},
      {"redis://:6379", "the host is missing"},
      {"redis://a:0", "a number from 1 to 65535"},
      {"redis://a:", "a number from 1 to 65535"},
      {"redis://a:65536", "a number from 1 to 65535"},
      {"redis://a:6379x", "a number from 1 to 65535"},
      {"redis://::1", "an IPv6 address needs brackets"},
      {"redis://[::1", "the ']' is missing"},
      {"redis://[::1]6379", "behind ']' comes ':' and the port"},
      {"redis://a b", "is no host"},
      {"redis://user@a", "the password is missing; write USER:PASSWORD@"},
      {"redis://user:@a", "the password is missing"},
      {"redis://u:%zz@a", "needs two hex digits"},
      {"redis://u:%2@a", "needs two hex digits"},
      {"redis://a/one", "the database has to be a number from 0, not 'one'"},
      {"redis://a/-1", "the database has to be a number from 0"},
      {"redis://a/1/2", "the database has to be a number from 0"},
      {"redis://a?color=red", "unknown setting 'color'; there are prefix and ca"},
      {"redis://a?ca=/x", "ca is for TLS only; write rediss://"},
      {"rediss://a?ca=", "ca needs a file"},
      {"redis://a,b", "each server needs a scheme"},
      {"redis://a,", "each server needs a scheme"},
      {"redis://a,redis://a:6379/0", "this server is named twice"},
      {"redis://a?prefix=x,redis://b?prefix=y", "all servers have one prefix"},
      {"redis+sentinel://a", "the master's name is missing"},
      {"redis+sentinel://a,/m", "the host is missing"},
      {"redis+sentinel://a/m/x", "the database has to be a number"},
  };
  for (const WrongUrl& one : wrong) EXPECT_THAT(ErrorOf(one.url), HasSubstr(one.says)) << one.url;
}

TEST(RedisAddressTest, ErrorsAndTextsShowNoPassword) {
  for (const char* url : {"redis://joe:secret@a:x", "joe:secret@a", "redis://joe:secret@",
                          "redis://joe:sec/secret@a", "redis://b,redis://joe:secret@a/x"}) {
    EXPECT_THAT(ErrorOf(url), Not(HasSubstr("secret"))) << url;
  }
  EXPECT_THAT(One("redis://joe:secret@a").Text(), Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace crier
