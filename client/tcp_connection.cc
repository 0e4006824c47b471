#include "client/tcp_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "client/address.h"
#include "client/text.h"

namespace crier::client {
namespace {

// False: the deadline came first.
bool WaitFor(int fd, short events, absl::Time deadline) {
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(
        absl::Ceil(std::max(deadline - absl::Now(), absl::ZeroDuration()), absl::Milliseconds(1)));
    pollfd entry = {fd, events, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::min<int64_t>(left, 1'000'000)));
    if (ready > 0) return true;
    if (ready == 0 && absl::Now() >= deadline) return false;
    if (ready < 0 && errno == EINTR) return absl::Now() < deadline;
  }
}

absl::Status Broken(int error) {
  return absl::UnavailableError(Concat("the connection failed: ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<TcpConnection> TcpConnection::Connect(const std::string& host,
                                                     const std::string& port, absl::Time deadline) {
  absl::StatusOr<SocketAddress> address = Resolve(host, port);
  if (!address.ok()) return address.status();
  const std::string where = Concat(host, " port ", port);
  const int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError(std::strerror(errno));
  TcpConnection connection(fd);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  connect(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->size);
  if (!WaitFor(fd, POLLOUT, deadline)) {
    return absl::UnavailableError(Concat("cannot connect to ", where, ": no answer"));
  }
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    return absl::UnavailableError(Concat("cannot connect to ", where, ": ", std::strerror(error)));
  }
  return connection;
}

TcpConnection::~TcpConnection() {
  if (fd_ >= 0) close(fd_);
}

TcpConnection::TcpConnection(TcpConnection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

absl::Status TcpConnection::Write(std::string_view bytes, absl::Time deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(sent);
    } else if (errno != EAGAIN && errno != EINTR) {
      return Broken(errno);
    } else if (!WaitFor(fd_, POLLOUT, deadline)) {
      return absl::UnavailableError("the server takes no bytes");
    }
  }
  return absl::OkStatus();
}

absl::Status TcpConnection::Read(std::string* bytes, absl::Time deadline) {
  char buffer[16 * 1024];
  while (true) {
    const ssize_t received = recv(fd_, buffer, sizeof(buffer), 0);
    if (received > 0) {
      bytes->append(buffer, received);
      return absl::OkStatus();
    }
    if (received == 0) return absl::OutOfRangeError("the server ended the connection");
    if (errno != EAGAIN && errno != EINTR) return Broken(errno);
    if (!WaitFor(fd_, POLLIN, deadline)) return absl::DeadlineExceededError("nothing came");
  }
}

}  // namespace crier::client
