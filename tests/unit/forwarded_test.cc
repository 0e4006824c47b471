// Who a request comes from, behind proxies, and what an address counts as.
#include "server/net/forwarded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

using ::testing::HasSubstr;

TEST(CountedAddressTest, AnIpv6AddressStandsForItsNetwork) {
  EXPECT_EQ(CountedAddress("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(CountedAddress("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(CountedAddress("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(CountedAddress("2001:db8:1:2::"), CountedAddress("2001:db8:1:2:ffff::1"));
  EXPECT_NE(CountedAddress("2001:db8:1:2::1"), CountedAddress("2001:db8:1:3::1"));
  EXPECT_EQ(CountedAddress("?"), "?");
}

TEST(AddressBlocksTest, HoldsAddressesAndNetworks) {
  const AddressBlocks blocks = *AddressBlocks::Parse("192.0.2.7, 10.1.2.3/8,2001:db8::/32");
  for (const char* in : {"192.0.2.7", "10.255.0.1", "2001:db8:ffff::1", "::ffff:10.0.0.1"}) {
    EXPECT_TRUE(blocks.Contains(in)) << in;
  }
  for (const char* out : {"192.0.2.8", "11.0.0.1", "2001:db9::1", "", "localhost"}) {
    EXPECT_FALSE(blocks.Contains(out)) << out;
  }
  EXPECT_TRUE(AddressBlocks::Parse("")->empty());
  EXPECT_TRUE(AddressBlocks::Parse("0.0.0.0/0")->Contains("8.8.8.8"));
}

TEST(AddressBlocksTest, AWrongEntryIsNamedWithWhatWouldBeRight) {
  for (const char* entry : {"10.0.0.0/33", "10.0.0", "proxy.example", "::1/129", "10.0.0.0/-1"}) {
    EXPECT_THAT(std::string(AddressBlocks::Parse(entry).status().message()),
                AllOf(HasSubstr(entry), HasSubstr("10.0.0.0/8")));
  }
}

class ForwardedTest : public testing::Test {
 protected:
  // "ADDRESS SCHEME", or "conflict".
  std::string Client(std::string_view peer, const ForwardedHeaders& headers) {
    const auto asks = ClientOf(peer, headers, trusted_);
    if (std::holds_alternative<ForwardedConflict>(asks)) return "conflict";
    const auto& client = std::get<ForwardedClient>(asks);
    return client.address + " " + client.scheme;
  }
  const AddressBlocks trusted_ = *AddressBlocks::Parse("127.0.0.1,10.0.0.0/8,2001:db8:f::/48");
};

TEST_F(ForwardedTest, WhoIsNoTrustedProxySpeaksForItself) {
  EXPECT_EQ(Client("192.0.2.9", {.x_forwarded_for = "1.1.1.1",
                                 .x_forwarded_proto = "https",
                                 .forwarded = "for=2.2.2.2"}),
            "192.0.2.9 ");
}

TEST_F(ForwardedTest, WithoutHeadersAProxyIsTheClient) {
  EXPECT_EQ(Client("127.0.0.1", {}), "127.0.0.1 ");
}

TEST_F(ForwardedTest, TheLastThatIsNoProxyIsTheClient) {
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "192.0.2.1"}), "192.0.2.1 ");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "6.6.6.6, 192.0.2.1"}), "192.0.2.1 ");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "6.6.6.6,192.0.2.1 , 10.0.0.3,10.0.0.4"}),
            "192.0.2.1 ");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "10.0.0.9, 10.0.0.3"}), "10.0.0.9 ")
      << "all are proxies: the first of them asks for itself";
}

TEST_F(ForwardedTest, WhatIsNoAddressEndsTheChain) {
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "6.6.6.6, unknown, 10.0.0.3"}), "10.0.0.3 ");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "6.6.6.6, "}), "127.0.0.1 ");
}

TEST_F(ForwardedTest, HoweverMuchTheClientInvents) {
  std::string chain;
  for (int i = 0; i < 1000; ++i) chain += "6.6.6.6, ";
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = chain + "192.0.2.1"}), "192.0.2.1 ");
}

TEST_F(ForwardedTest, AddressesMayHavePortsAndBrackets) {
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "192.0.2.1:4711"}), "192.0.2.1 ");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "2001:DB8::1"}), "2001:db8::1 ");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "[2001:db8::1]:80"}), "2001:db8::1 ");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "::ffff:192.0.2.1"}), "192.0.2.1 ");
}

TEST_F(ForwardedTest, AProxySaysTheScheme) {
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "192.0.2.1", .x_forwarded_proto = "HTTPS"}),
            "192.0.2.1 https");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_proto = "http, wss"}), "127.0.0.1 https");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_proto = "gopher"}), "127.0.0.1 ");
}

TEST_F(ForwardedTest, TheStandardsHeaderIsUnderstood) {
  EXPECT_EQ(Client("127.0.0.1", {.forwarded = "for=192.0.2.1;proto=https;by=203.0.113.43"}),
            "192.0.2.1 https");
  EXPECT_EQ(
      Client("127.0.0.1",
             {.forwarded = "for=6.6.6.6;proto=http, For=\"[2001:db8::1]:4711\"; PROTO=\"https\""
                           ", for=10.0.0.3;proto=http"}),
      "2001:db8::1 https");
  EXPECT_EQ(Client("127.0.0.1", {.forwarded = "for=\"_hidden, for=6.6.6.6\""}), "127.0.0.1 ");
  EXPECT_EQ(Client("127.0.0.1", {.forwarded = "for=unknown, for=10.0.0.3"}), "10.0.0.3 ");
  EXPECT_EQ(Client("127.0.0.1", {.forwarded = "\"\\"}), "127.0.0.1 ");
}

TEST_F(ForwardedTest, TwoHeadersHaveToAgree) {
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "192.0.2.1", .forwarded = "for=192.0.2.1"}),
            "192.0.2.1 ");
  EXPECT_EQ(Client("127.0.0.1", {.x_forwarded_for = "192.0.2.1", .forwarded = "for=6.6.6.6"}),
            "conflict");
}

}  // namespace
}  // namespace crier
