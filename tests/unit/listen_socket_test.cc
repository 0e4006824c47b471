#include "server/net/listen_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kIpv4[] = "127.0.0.1";
constexpr char kIpv6[] = "[::1]";
// 192.0.2.0/24 is for documentation (RFC 5737).
constexpr char kOfAnotherMachine[] = "192.0.2.1";

class ListenSocketTest : public ::testing::Test {
 protected:
  // A host of the name "many" with these addresses, whatever the system's resolver knows.
  static absl::StatusOr<std::vector<ListenSocket>> Open(const std::vector<std::string>& hosts,
                                                        uint16_t port) {
    std::vector<SocketAddress> addresses;
    for (const std::string& host : hosts) {
      addresses.push_back(Resolve(ParseListenAddresses(host + ":0")->front())->front());
    }
    const std::string text = "many:" + std::to_string(port);
    for (SocketAddress& address : addresses) address = WithPort(address, port);
    return OpenListenSockets({.text = text, .host = "many", .port = port}, addresses);
  }

  static bool CanConnect(const ListenSocket& socket) {
    const UniqueFd fd(::socket(socket.address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&socket.address.storage),
                     socket.address.length) == 0;
  }

  static bool HasIpv6() { return Open({kIpv6}, 0).ok(); }
};

TEST_F(ListenSocketTest, AllAddressesOfAHostGetTheSamePort) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no ::1";
  for (int i = 0; i < 20; ++i) {
    const auto sockets = Open({kIpv4, kIpv6}, 0);
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    ASSERT_EQ(sockets->size(), 2u);
    EXPECT_NE(PortOf((*sockets)[0].address), 0);
    EXPECT_EQ(PortOf((*sockets)[0].address), PortOf((*sockets)[1].address));
    EXPECT_TRUE(CanConnect((*sockets)[0]));
    EXPECT_TRUE(CanConnect((*sockets)[1]));
  }
}

TEST_F(ListenSocketTest, AnAddressThatThisMachineDoesNotHaveIsLeftOut) {
  for (const std::vector<std::string>& hosts :
       {std::vector<std::string>{kIpv4, kOfAnotherMachine},
        std::vector<std::string>{kOfAnotherMachine, kIpv4}}) {
    const auto sockets = Open(hosts, 0);
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    ASSERT_EQ(sockets->size(), 1u);
    EXPECT_TRUE(CanConnect(sockets->front()));
  }
}

TEST_F(ListenSocketTest, AHostWithoutAnAddressHereIsAnError) {
  const auto sockets = Open({kOfAnotherMachine}, 0);
  ASSERT_FALSE(sockets.ok());
  EXPECT_THAT(std::string(sockets.status().message()),
              AllOf(HasSubstr("'many:0'"), HasSubstr("no such address")));
}

TEST_F(ListenSocketTest, APortThatIsTakenOnOneAddressIsNamed) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no ::1";
  const auto first = Open({kIpv6}, 0);
  ASSERT_TRUE(first.ok()) << first.status();
  const uint16_t port = PortOf(first->front().address);
  const auto both = Open({kIpv4, kIpv6}, port);
  ASSERT_FALSE(both.ok());
  EXPECT_THAT(std::string(both.status().message()),
              AllOf(HasSubstr("'many:" + std::to_string(port) + "'"),
                    HasSubstr("[::1]:" + std::to_string(port)), HasSubstr("the port is taken")));
}

}  // namespace
}  // namespace crier
