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

// HOST:PORT, split but not yet resolved.
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

// Splits a comma-separated list: "127.0.0.1:8000", "[::1]:0", "localhost:8000". An error names the
// address and what would be right.
absl::StatusOr<std::vector<ListenAddress>> ParseListenAddresses(std::string_view addresses);

// Looks the host up: all addresses that it has, IPv4 first, none twice. At least one. The status
// names the host.
absl::StatusOr<std::vector<SocketAddress>> Resolve(const ListenAddress& address);

// `address` with another port. REQUIRES: it is an IPv4 or IPv6 address, as Resolve gives them.
SocketAddress WithPort(const SocketAddress& address, uint16_t port);
uint16_t PortOf(const SocketAddress& address);

// In 127.0.0.0/8, or ::1.
bool IsLoopback(const SocketAddress& address);

// "127.0.0.1", "::1"; an IPv4 address mapped into IPv6 is shown as IPv4.
std::string HostText(const SocketAddress& address);
// The same of a connected socket's peer; empty where there is none any more.
std::string PeerAddressOf(int fd);
// For a log. "that has left" where there is none any more.
std::string PeerHostOf(int fd);
// "127.0.0.1:8000", "[::1]:8000".
std::string HostAndPortText(const SocketAddress& address);

}  // namespace crier

#endif  // CRIER_SERVER_NET_LISTEN_ADDRESS_H_
