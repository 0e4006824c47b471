// Whose requests by HTTP count as whose: hosts, the origins of pages, and proxies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/http_fixture.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using HttpTrustTest = HttpServerTest;

TEST_F(HttpTrustTest, ARequestNamesOneHost) {
  Start();
  for (const std::string target : {"/", "/ws", "/healthcheck", "/metrics", "/nothing"}) {
    EXPECT_THAT(Exchange("GET " + target + " HTTP/1.1\r\nConnection: close\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("needs a Host")))
        << target;
    EXPECT_THAT(Get(target, "Host: localhost\r\n"),
                AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("several")))
        << target;
  }
  EXPECT_THAT(Exchange("GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpTrustTest, OnlyItsOwnNamesReachAServerOfThisMachine) {
  Start();
  const auto ask = [&](const std::string& host) {
    return Exchange("GET /metrics HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
  };
  EXPECT_THAT(ask("evil.example"), AllOf(StartsWith("HTTP/1.1 421"), HasSubstr("--allowed_hosts")));
  EXPECT_THAT(ask("localhost.evil.example:8000"), StartsWith("HTTP/1.1 421"));
  for (const std::string host :
       {"localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]", "10.1.2.3"}) {
    EXPECT_THAT(ask(host), StartsWith("HTTP/1.1 200")) << host;
  }
  const auto upgrade = [&](const WebSocketClient::Headers& headers) {
    WebSocketClient client(address());
    client.SendRaw(WebSocketClient::UpgradeRequest("evil.example", {.headers = headers}));
    client.ReadResponseHeader();
    return client.status();
  };
  EXPECT_EQ(upgrade({{"Origin", "http://evil.example"}}), 421);
  EXPECT_EQ(upgrade({}), 101) << "no page sends that";
}

TEST_F(HttpTrustTest, ListedNamesReachItToo) {
  websocket_options.allowed_hosts = *HostRules::Parse("chat.example, *.chat.example");
  Start();
  const auto ask = [&](const std::string& host) {
    return Exchange("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
  };
  EXPECT_THAT(ask("chat.example:8000"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("a.chat.example."), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("evil.example"), StartsWith("HTTP/1.1 421"));
}

TEST_F(HttpTrustTest, ClientsOfAProxyCountByThemselves) {
  connection_limits = {
      .total = 100, .per_address = 2, .trusted_proxies = *AddressBlocks::Parse("127.0.0.1")};
  Start();
  std::vector<WebSocketClient> clients;
  const auto status = [&](const std::string& client) {
    clients.emplace_back(address(),
                         WebSocketClient::Options{.headers = {{"X-Forwarded-For", client}}});
    return clients.back().status();
  };
  EXPECT_EQ(status("192.0.2.1"), 101);
  EXPECT_EQ(status("6.6.6.6, 192.0.2.1"), 101) << "what the client says of itself does not count";
  EXPECT_EQ(status("192.0.2.1"), 503);
  EXPECT_EQ(status("192.0.2.2"), 101);
  // One customer's network.
  EXPECT_EQ(status("2001:db8::1"), 101);
  EXPECT_EQ(status("2001:db8::2"), 101);
  EXPECT_EQ(status("2001:db8::3"), 503);
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return OpenConnections() == 0; }));
  EXPECT_EQ(status("192.0.2.1"), 101);
}

TEST_F(HttpTrustTest, AProxyOfConnectionsSaysWhoTheClientIs) {
  connection_limits = {
      .total = 100, .per_address = 1, .trusted_proxies = *AddressBlocks::Parse("127.0.0.1")};
  websocket_options.proxy_protocol = true;
  Start();
  std::vector<WebSocketClient> clients;
  const auto status = [&](const std::string& header) {
    WebSocketClient& client = clients.emplace_back(address());
    // In two parts, and the request right behind the second.
    client.SendRaw(header.substr(0, 8));
    EXPECT_TRUE(client.StaysSilent(10ms));
    client.SendRaw(header.substr(8) + WebSocketClient::UpgradeRequest(address(), {}));
    return client.ReadResponseHeader() ? client.status() : 0;
  };
  EXPECT_EQ(status("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"), 101);
  EXPECT_EQ(status("PROXY TCP4 192.0.2.1 198.51.100.1 56325 443\r\n"), 503);
  EXPECT_EQ(status("PROXY TCP4 192.0.2.2 198.51.100.1 56324 443\r\n"), 101);
  EXPECT_EQ(status("PROXY UNKNOWN\r\n"), 101) << "the proxy itself, whom no limit counts";
  EXPECT_EQ(status("PROXY TCP9 192.0.2.1 198.51.100.1 56324 443\r\n"), 0);
  clients.front().SendText(Say("direct", "x"));
  EXPECT_THAT(clients.front().ReadText(), HasSubstr("direct"));
}

TEST_F(HttpTrustTest, WhoIsNoProxyNeedsNoHeaderOfOne) {
  connection_limits.trusted_proxies = *AddressBlocks::Parse("192.0.2.1");
  websocket_options.proxy_protocol = true;
  Start();
  EXPECT_EQ(StatusOfUpgrade({}), 101);
}

TEST_F(HttpTrustTest, AProxyThatSaysNothingRunsOutOfTime) {
  connection_limits.trusted_proxies = *AddressBlocks::Parse("127.0.0.1");
  websocket_options.proxy_protocol = true;
  websocket_options.handshake_timeout = 50ms;
  Start();
  WebSocketClient client(address());
  client.SendRaw("PROXY TCP4 ");
  EXPECT_TRUE(client.WaitForEnd());
  EXPECT_TRUE(Eventually([&] { return OpenConnections() == 0; }));
}

TEST_F(HttpTrustTest, OneOfTwoHeadersOfProxiesIsInvented) {
  connection_limits.trusted_proxies = *AddressBlocks::Parse("127.0.0.1");
  Start();
  const std::string both = "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.2\r\n";
  EXPECT_THAT(Get("/", both), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("different clients")));
}

TEST_F(HttpTrustTest, BehindAProxyThePagesSchemeCounts) {
  connection_limits.trusted_proxies = *AddressBlocks::Parse("127.0.0.1");
  Start();
  const auto status = [&](const std::string& scheme) {
    WebSocketClient client(address());
    client.SendRaw(WebSocketClient::UpgradeRequest(
        "chat.example", {.headers = {{"Origin", scheme + "://chat.example"},
                                     {"X-Forwarded-For", "192.0.2.1"},
                                     {"X-Forwarded-Proto", "https"}}}));
    client.ReadResponseHeader();
    return client.status();
  };
  EXPECT_EQ(status("https"), 101);
  EXPECT_EQ(status("http"), 403);
}

TEST_F(HttpTrustTest, OnlyKnownOriginsMayConnect) {
  websocket_options.allowed_origins =
      *OriginRules::Parse("https://friend.example, https://*.friends.example:8443, null");
  Start();
  EXPECT_EQ(StatusOfUpgrade({.headers = {}}), 101);
  EXPECT_EQ(StatusOfUpgrade({.headers = {{"Origin", "http://" + address()}}}), 101);
  EXPECT_EQ(StatusOfUpgrade({.headers = {{"Origin", "https://Friend.example"}}}), 101);
  EXPECT_EQ(StatusOfUpgrade({.headers = {{"Origin", "https://stranger.example"}}}), 403);
  EXPECT_EQ(StatusOfUpgrade({.headers = {{"Origin", "https://friend.example.evil"}}}), 403);
  EXPECT_EQ(StatusOfUpgrade({.headers = {{"Origin", "https://a.friends.example:8443"}}}), 101);
  EXPECT_EQ(StatusOfUpgrade({.headers = {{"Origin", "https://friends.example:8443"}}}), 403);
  EXPECT_EQ(StatusOfUpgrade({.headers = {{"Origin", "null"}}}), 101);
}

TEST_F(HttpTrustTest, AHostsOwnDefaultPortMakesNoDifference) {
  websocket_options.allowed_hosts = *HostRules::Parse("chat.example");
  Start();
  const auto status = [&](const std::string& host, const std::string& origin) {
    WebSocketClient client(address());
    client.SendRaw(WebSocketClient::UpgradeRequest(host, {.headers = {{"Origin", origin}}}));
    client.ReadResponseHeader();
    return client.status();
  };
  EXPECT_EQ(status("chat.example", "https://chat.example"), 101);
  EXPECT_EQ(status("chat.example:443", "https://chat.example"), 101);
  EXPECT_EQ(status("chat.example", "http://chat.example:80"), 101);
  EXPECT_EQ(status("chat.example:8000", "http://chat.example"), 403);
}

}  // namespace
}  // namespace crier::testing
