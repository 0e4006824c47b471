// An address to listen on, as flags write it.
#ifndef CRIER_SERVER_NET_LISTEN_ADDRESS_H_
#define CRIER_SERVER_NET_LISTEN_ADDRESS_H_

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crier {

// HOST:PORT taken apart, not yet resolved.
struct ListenAddress {
  std::string text;  // as it was written, for messages
  std::string host;  // without brackets
  uint16_t port = 0;
};

// A socket address and how much of it is used.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// Takes a comma-separated list apart: "127.0.0.1:8000", "[::1]:0", "localhost:8000". The status
// names the address and what would be right.
absl::StatusOr<std::vector<ListenAddress>> ParseListenAddresses(std::string_view addresses);

// Looks the host up. A name that has an IPv4 address is that address.
absl::StatusOr<SocketAddress> Resolve(const ListenAddress& address);

// "127.0.0.1", "::1"; an IPv4 address mapped into IPv6 is shown as IPv4.
std::string HostText(const SocketAddress& address);
// "127.0.0.1:8000", "[::1]:8000".
std::string HostAndPortText(const SocketAddress& address);

}  // namespace crier

#endif  // CRIER_SERVER_NET_LISTEN_ADDRESS_H_
