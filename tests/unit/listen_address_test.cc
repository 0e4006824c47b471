#include "server/net/listen_address.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <string>
#include <vector>

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ErrorOf(const std::string& addresses) {
  const auto parsed = ParseListenAddresses(addresses);
  return parsed.ok() ? "" : std::string(parsed.status().message());
}

TEST(ListenAddressTest, AListIsTakenApart) {
  const auto parsed = ParseListenAddresses("127.0.0.1:8000, [::1]:0,localhost:65535");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->size(), 3u);
  EXPECT_EQ((*parsed)[0].host, "127.0.0.1");
  EXPECT_EQ((*parsed)[0].port, 8000);
  EXPECT_EQ((*parsed)[1].host, "::1");
  EXPECT_EQ((*parsed)[1].port, 0);
  EXPECT_EQ((*parsed)[1].text, "[::1]:0");
  EXPECT_EQ((*parsed)[2].host, "localhost");
  EXPECT_EQ((*parsed)[2].port, 65535);
}

TEST(ListenAddressTest, AnErrorNamesTheAddressAndWhatWouldBeRight) {
  for (const char* text : {"127.0.0.1", "127.0.0.1:", "[::1]", ""}) {
    EXPECT_THAT(ErrorOf(text), AllOf(HasSubstr(std::string("'") + text + "'"),
                                     HasSubstr("the port is missing"), HasSubstr("HOST:PORT")));
  }
  for (const char* text : {"127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x"}) {
    EXPECT_THAT(ErrorOf(text), AllOf(HasSubstr(text), HasSubstr("a number from 0 to 65535")));
  }
  EXPECT_THAT(ErrorOf("::1:8000"), AllOf(HasSubstr("::1:8000"), HasSubstr("brackets")));
  EXPECT_THAT(ErrorOf(":8000"), AllOf(HasSubstr(":8000"), HasSubstr("0.0.0.0 or [::]")));
  EXPECT_THAT(ErrorOf("127.0.0.1:1,,"), HasSubstr("''"));
  EXPECT_THAT(ErrorOf("127.0.0.1:x"), Not(HasSubstr("\n")));
}

TEST(ListenAddressTest, AHostThatIsNoneIsNamed) {
  const auto parsed = ParseListenAddresses("no.such.host.invalid:80");
  ASSERT_TRUE(parsed.ok());
  const auto resolved = Resolve(parsed->front());
  ASSERT_FALSE(resolved.ok());
  EXPECT_THAT(std::string(resolved.status().message()),
              AllOf(HasSubstr("no.such.host.invalid:80"), HasSubstr("cannot find the host")));
}

TEST(ListenAddressTest, AddressesAreShownAsTheyAreWritten) {
  for (const char* text : {"127.0.0.1:8000", "[::1]:8000", "0.0.0.0:1", "[::]:65535"}) {
    const auto resolved = Resolve(ParseListenAddresses(text)->front());
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    ASSERT_EQ(resolved->size(), 1u);
    EXPECT_EQ(HostAndPortText(resolved->front()), text);
  }
}

TEST(ListenAddressTest, ANameHasAllItsAddressesOnce) {
  const auto resolved = Resolve(ParseListenAddresses("localhost:8000")->front());
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  std::vector<std::string> found;
  for (const SocketAddress& address : *resolved) found.push_back(HostAndPortText(address));
  // What the system's resolver knows of it, asked for one family at a time.
  std::vector<std::string> expected;
  for (const int family : {AF_INET, AF_INET6}) {
    addrinfo hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (::getaddrinfo("localhost", nullptr, &hints, &list) != 0) continue;
    expected.push_back(family == AF_INET ? "127.0.0.1:8000" : "[::1]:8000");
    ::freeaddrinfo(list);
  }
  EXPECT_EQ(found, expected);
}

TEST(ListenAddressTest, ThePortOfAnAddressCanBeChanged) {
  for (const char* host : {"192.0.2.7", "[2001:db8::7]"}) {
    const auto resolved = Resolve(ParseListenAddresses(std::string(host) + ":0")->front());
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    const SocketAddress changed = WithPort(resolved->front(), 8080);
    EXPECT_EQ(PortOf(changed), 8080);
    EXPECT_EQ(HostAndPortText(changed), std::string(host) + ":8080");
  }
}

TEST(ListenAddressTest, AnIpv4PeerOfADualStackSocketIsShownAsIpv4) {
  sockaddr_in6 mapped{};
  mapped.sin6_family = AF_INET6;
  ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
  SocketAddress address;
  std::memcpy(&address.storage, &mapped, sizeof mapped);
  address.length = sizeof mapped;
  EXPECT_EQ(HostText(address), "192.0.2.7");
}

}  // namespace
}  // namespace crier
