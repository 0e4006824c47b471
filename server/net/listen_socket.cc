#include "server/net/listen_socket.h"

#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/net/socket_options.h"

namespace crier {
namespace {

constexpr int kAttemptsAtOnePort = 10;

absl::Status ListenError(const ListenAddress& host, const SocketAddress& address, int error) {
  std::string reason = std::strerror(error);
  if (error == EADDRINUSE) reason = "the port is taken: another program listens there";
  if (error == EACCES) reason = "not permitted; ports below 1024 need privileges";
  if (error == EADDRNOTAVAIL) reason = "this machine has no such address";
  const std::string numeric = HostAndPortText(address);
  return absl::FailedPreconditionError(
      absl::StrCat("cannot listen on '", host.text, "'",
                   numeric == host.text ? "" : absl::StrCat(" (", numeric, ")"), ": ", reason));
}

bool SetFlag(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// Returns an errno; 0 where *socket listens.
int Open(const SocketAddress& address, ListenSocket* socket) {
  const int family = address.storage.ss_family;
  socket->fd.reset(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = socket->fd.get();
  if (fd < 0) return errno;
  // A restart need not wait for connections of the last run to time out; two servers on one port
  // are still refused.
  SetFlag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  // [::] takes IPv4 too, whatever the system's default is.
  if (family == AF_INET6) SetFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  // Connections have these from their listener, at no system call of their own.
  SetNoDelay(fd);
  SetNotSentLowWater(fd);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 ||
      ::listen(fd, SOMAXCONN) != 0) {
    return errno;
  }
  socket->address.length = sizeof socket->address.storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&socket->address.storage), &socket->address.length);
  return 0;
}

struct Attempt {
  std::vector<ListenSocket> sockets;
  std::vector<SocketAddress> absent;  // this machine does not have them
  absl::Status status;
};

Attempt OpenAll(const ListenAddress& host, const std::vector<SocketAddress>& addresses,
                bool one_port) {
  Attempt attempt;
  uint16_t port = host.port;
  for (const SocketAddress& unbound : addresses) {
    const SocketAddress address = WithPort(unbound, port);
    ListenSocket socket;
    const int error = Open(address, &socket);
    if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT) {
      attempt.absent.push_back(address);
    } else if (error != 0) {
      attempt.status = ListenError(host, address, error);
      return attempt;
    } else {
      if (one_port) port = PortOf(socket.address);
      attempt.sockets.push_back(std::move(socket));
    }
  }
  if (attempt.sockets.empty()) {
    attempt.status = ListenError(host, addresses.front(), EADDRNOTAVAIL);
  }
  return attempt;
}

}  // namespace

absl::StatusOr<std::vector<ListenSocket>> OpenListenSockets(
    const ListenAddress& host, const std::vector<SocketAddress>& addresses) {
  Attempt attempt = OpenAll(host, addresses, /*one_port=*/true);
  // The port that was free on the first address is taken on another: the next one may not be.
  const bool any_port = host.port == 0 && addresses.size() > 1;
  for (int i = 1; any_port && !attempt.status.ok() && i < kAttemptsAtOnePort; ++i) {
    attempt = OpenAll(host, addresses, /*one_port=*/true);
  }
  if (any_port && !attempt.status.ok()) attempt = OpenAll(host, addresses, /*one_port=*/false);
  if (!attempt.status.ok()) return attempt.status;
  for (const SocketAddress& absent : attempt.absent) {
    spdlog::warn("not listening on {}, an address of '{}': this machine does not have it",
                 HostAndPortText(absent), host.text);
  }
  return std::move(attempt.sockets);
}

}  // namespace crier
