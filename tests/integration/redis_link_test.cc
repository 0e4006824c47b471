// How a connection to a real Redis is made: login, database, TLS, sentinels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/cluster/redis_client.h"
#include "tests/support/redis_server.h"

namespace crier {
namespace {

using ::testing::AllOf;
using testing::Certificate;
using testing::FreePort;
using ::testing::HasSubstr;
using testing::MakeCertificate;
using ::testing::Not;
using testing::RedisServer;
using testing::RunUntil;
using testing::ScratchFolder;
using ::testing::StartsWith;

class RedisLinkTest : public ::testing::Test {
 protected:
  void Start(const std::string& url) {
    const absl::StatusOr<ClusterUrl> parsed = ParseClusterUrl(url);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    client_ = std::make_unique<RedisClient>(
        &io_, parsed->servers.at(0),
        RedisClient::Options{
            .on_up = [this] { ++ups_; },
            .on_down = [this](std::string_view why) { downs_.emplace_back(why); }});
    client_->Start();
  }
  bool Wait(const std::function<bool()>& condition) { return RunUntil(io_, condition); }
  bool IsUp() {
    return Wait([this] { return client_->up(); });
  }
  // Why it does not get up.
  std::string Why() {
    const size_t before = downs_.size();
    EXPECT_TRUE(Wait([&] { return downs_.size() > before; }));
    return downs_.empty() ? "" : downs_.back();
  }
  std::string Answer(const std::vector<std::string_view>& args) {
    std::string answer;
    bool answered = false;
    client_->Call(args, [&](const RedisReply& reply) {
      answered = true;
      answer = reply.text();
    });
    EXPECT_TRUE(Wait([&] { return answered; }));
    return answer;
  }

  boost::asio::io_context io_{1};
  int ups_ = 0;
  std::vector<std::string> downs_;
  std::unique_ptr<RedisClient> client_;
};

std::string PortText(const RedisServer& server) { return std::to_string(server.port()); }

TEST_F(RedisLinkTest, ServersThatAreNotThereAreNamedOnce) {
  const std::string port = std::to_string(FreePort());
  Start("redis://127.0.0.1:" + port);
  EXPECT_EQ(Why(), "redis://127.0.0.1:" + port + "/0: connect: Connection refused");
  // Attempts go on, but say nothing new. They are noticed by a server that comes.
  EXPECT_FALSE(RunUntil(
      io_, [this] { return downs_.size() > 1; }, std::chrono::milliseconds(300)));
}

TEST_F(RedisLinkTest, HostsAreLookedUp) {
  const RedisServer redis;
  Start("redis://localhost:" + PortText(redis));
  EXPECT_TRUE(IsUp());
}

TEST_F(RedisLinkTest, AHostWithoutAnAddressIsNamed) {
  Start("redis://no-such-host.invalid");
  EXPECT_THAT(Why(), StartsWith("redis://no-such-host.invalid:6379/0: look up: "));
}

TEST_F(RedisLinkTest, APasswordOpens) {
  const RedisServer redis({.password = "sesame"});
  Start(redis.url());
  ASSERT_TRUE(IsUp());
  EXPECT_THAT(Answer({"CLIENT", "LIST"}), HasSubstr("name=crier"));
}

TEST_F(RedisLinkTest, AWrongPasswordIsToldAndNotShown) {
  const RedisServer redis({.password = "sesame"});
  Start("redis://:simsalabim@127.0.0.1:" + PortText(redis));
  EXPECT_THAT(Why(), AllOf(HasSubstr("AUTH: WRONGPASS"), Not(HasSubstr("simsalabim"))));
  EXPECT_FALSE(client_->up());
  // Until it is right.
  redis.Command({"CONFIG", "SET", "requirepass", "simsalabim"});
  EXPECT_TRUE(IsUp());
}

TEST_F(RedisLinkTest, AMissingPasswordIsTold) {
  const RedisServer redis({.password = "sesame"});
  Start("redis://127.0.0.1:" + PortText(redis));
  EXPECT_THAT(Why(), HasSubstr("NOAUTH"));
}

TEST_F(RedisLinkTest, AUserOpens) {
  const RedisServer redis;
  redis.Command({"ACL", "SETUSER", "alice", "on", ">pa:ss", "~*", "&*", "+@all"});
  Start("redis://alice:pa%3Ass@127.0.0.1:" + PortText(redis));
  ASSERT_TRUE(IsUp());
  EXPECT_EQ(Answer({"ACL", "WHOAMI"}), "alice");
}

TEST_F(RedisLinkTest, TheDatabaseIsChosen) {
  const RedisServer redis;
  Start(redis.url() + "/5");
  ASSERT_TRUE(IsUp());
  Answer({"SET", "where", "here"});
  EXPECT_THAT(redis.Command({"INFO", "keyspace"}), HasSubstr("db5:keys=1"));
}

TEST_F(RedisLinkTest, ADatabaseThatIsNotThereIsTold) {
  const RedisServer redis;
  Start(redis.url() + "/99");
  EXPECT_THAT(Why(), HasSubstr("SELECT: ERR DB index is out of range"));
}

class RedisTlsTest : public RedisLinkTest {
 protected:
  RedisTlsTest() {
    const Certificate ca = MakeCertificate("CA", "");
    const Certificate server = MakeCertificate("localhost", "DNS:localhost,IP:127.0.0.1", &ca);
    ca_ = folder_.Write("ca.pem", ca.certificate);
    other_ca_ = folder_.Write("other.pem", MakeCertificate("Other CA", "").certificate);
    port_ = std::to_string(FreePort());
    redis_ = std::make_unique<RedisServer>(
        RedisServer::Options{.arguments = {"--tls-port", port_, "--tls-cert-file",
                                           folder_.Write("cert.pem", server.certificate),
                                           "--tls-key-file", folder_.Write("key.pem", server.key),
                                           "--tls-ca-cert-file", ca_, "--tls-auth-clients", "no"}});
  }

  ScratchFolder folder_;
  std::string ca_;
  std::string other_ca_;
  std::string port_;
  std::unique_ptr<RedisServer> redis_;
};

TEST_F(RedisTlsTest, TrustedByItsCertificate) {
  for (const char* host : {"localhost", "127.0.0.1"}) {
    Start("rediss://" + std::string(host) + ":" + port_ + "?ca=" + ca_);
    ASSERT_TRUE(IsUp()) << host;
    const std::string large(1 << 20, 'x');
    EXPECT_EQ(Answer({"ECHO", large}), large);
  }
}

TEST_F(RedisTlsTest, ACertificateOfAnotherIsRefused) {
  Start("rediss://localhost:" + port_ + "?ca=" + other_ca_);
  EXPECT_THAT(Why(), HasSubstr("TLS: certificate verify failed"));
}

TEST_F(RedisTlsTest, TheSystemDoesNotKnowIt) {
  Start("rediss://localhost:" + port_);
  EXPECT_THAT(Why(), HasSubstr("TLS: certificate verify failed"));
}

TEST_F(RedisTlsTest, AnotherHostsCertificateIsRefused) {
  const Certificate ca = MakeCertificate("CA", "");
  const Certificate other = MakeCertificate("other", "DNS:other.example", &ca);
  const std::string port = std::to_string(FreePort());
  const RedisServer redis(
      {.arguments = {"--tls-port", port, "--tls-cert-file",
                     folder_.Write("other_cert.pem", other.certificate), "--tls-key-file",
                     folder_.Write("other_key.pem", other.key), "--tls-ca-cert-file",
                     folder_.Write("ca2.pem", ca.certificate), "--tls-auth-clients", "no"}});
  Start("rediss://localhost:" + port + "?ca=" + folder_.Write("ca2.pem", ca.certificate));
  EXPECT_THAT(Why(), HasSubstr("TLS: certificate verify failed"));
}

TEST_F(RedisTlsTest, AFileWithoutCertificatesIsNamed) {
  Start("rediss://localhost:" + port_ + "?ca=/no/such/file");
  EXPECT_THAT(Why(), HasSubstr("read certificates /no/such/file: "));
}

class RedisSentinelTest : public RedisLinkTest {
 protected:
  RedisSentinelTest() {
    const std::string master = PortText(master_);
    replica_ = std::make_unique<RedisServer>(
        RedisServer::Options{.arguments = {"--replicaof", "127.0.0.1", master}});
    EXPECT_TRUE(replica_->WaitFor({"INFO", "replication"}, "master_link_status:up"));
    sentinel_ = std::make_unique<RedisServer>(
        RedisServer::Options{.config = "sentinel monitor main 127.0.0.1 " + master +
                                       " 1\n"
                                       "sentinel down-after-milliseconds main 1000\n"
                                       "sentinel failover-timeout main 3000\n",
                             .is_sentinel = true});
    // It learns of the replica from the master.
    EXPECT_TRUE(sentinel_->WaitFor({"SENTINEL", "REPLICAS", "main"}, PortText(*replica_)));
  }

  RedisServer master_;
  std::unique_ptr<RedisServer> replica_;
  std::unique_ptr<RedisServer> sentinel_;
};

TEST_F(RedisSentinelTest, TheMasterIsFoundAndFollowed) {
  // The first sentinel is not there.
  Start("redis+sentinel://127.0.0.1:" + std::to_string(FreePort()) +
        ",127.0.0.1:" + PortText(*sentinel_) + "/main");
  ASSERT_TRUE(IsUp());
  EXPECT_EQ(Answer({"SET", "who", "first"}), "OK");
  EXPECT_EQ(master_.Command({"GET", "who"}), "first");

  // Refused while the sentinel does not know yet that the replica is well.
  EXPECT_TRUE(sentinel_->WaitFor({"SENTINEL", "FAILOVER", "main"}, "OK"));
  ASSERT_TRUE(Wait([this] { return ups_ >= 2 && client_->up(); }));
  EXPECT_EQ(Answer({"SET", "who", "second"}), "OK");
  EXPECT_EQ(replica_->Command({"GET", "who"}), "second");
}

TEST_F(RedisSentinelTest, AMasterThatDiesIsReplaced) {
  Start("redis+sentinel://127.0.0.1:" + PortText(*sentinel_) + "/main");
  ASSERT_TRUE(IsUp());
  master_.Kill();
  ASSERT_TRUE(RunUntil(
      io_, [this] { return ups_ >= 2 && client_->up(); }, std::chrono::seconds(40)));
  EXPECT_EQ(Answer({"SET", "who", "second"}), "OK");
  EXPECT_EQ(replica_->Command({"GET", "who"}), "second");
}

TEST_F(RedisLinkTest, SentinelsMayHaveThePasswordOrNone) {
  const RedisServer master({.password = "sesame"});
  for (const char* password : {"", "sesame"}) {
    const RedisServer sentinel({.config = "sentinel monitor main 127.0.0.1 " + PortText(master) +
                                          " 1\nsentinel auth-pass main sesame\n",
                                .password = password,
                                .is_sentinel = true});
    Start("redis+sentinel://:sesame@127.0.0.1:" + PortText(sentinel) + "/main/1");
    ASSERT_TRUE(IsUp());
    EXPECT_EQ(Answer({"SET", "where", "here"}), "OK");
  }
  EXPECT_THAT(master.Command({"INFO", "keyspace"}), HasSubstr("db1:keys=1"));
}

TEST_F(RedisLinkTest, ASentinelThatNamesAReplicaIsNotBelieved) {
  const RedisServer master;
  const RedisServer replica({.arguments = {"--replicaof", "127.0.0.1", PortText(master)}});
  const auto watching = [](const RedisServer& server) {
    return RedisServer::Options{
        .config = "sentinel monitor main 127.0.0.1 " + PortText(server) + " 1\n",
        .is_sentinel = true};
  };
  const RedisServer wrong(watching(replica));
  const RedisServer right(watching(master));
  Start("redis+sentinel://127.0.0.1:" + PortText(wrong) + ",127.0.0.1:" + PortText(right) +
        "/main");
  ASSERT_TRUE(IsUp());
  EXPECT_THAT(downs_.at(0), HasSubstr("it is no master yet, but a slave"));
  EXPECT_EQ(Answer({"SET", "who", "master"}), "OK");
}

TEST_F(RedisSentinelTest, AMasterThatNobodyKnowsIsNamed) {
  Start("redis+sentinel://127.0.0.1:" + PortText(*sentinel_) + "/other");
  EXPECT_THAT(Why(), HasSubstr("it knows no master 'other'"));
}

TEST_F(RedisSentinelTest, SentinelsThatAreNotThereAreTold) {
  const std::string port = std::to_string(FreePort());
  Start("redis+sentinel://127.0.0.1:" + port + "/main");
  EXPECT_THAT(Why(), HasSubstr("sentinel 127.0.0.1:" + port + ": connect: Connection refused"));
}

}  // namespace
}  // namespace crier
