#include "client/tcp_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
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

absl::Status NothingAnswers(const std::string& address, std::string_view why,
                            std::string_view listen_flag) {
  return absl::UnavailableError(Concat("nothing answers at ", address, " (", why,
                                       "); to start a server there: crierd --", listen_flag, "=",
                                       address, " (in the source folder: scripts/run --",
                                       listen_flag, "=", address, ")"));
}

absl::Status Broken(int error) {
  return absl::UnavailableError(Concat("the connection failed: ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<TcpConnection> TcpConnection::Connect(const std::string& host,
                                                     const std::string& port, absl::Time deadline,
                                                     std::string_view listen_flag) {
  absl::StatusOr<SocketAddress> address = Resolve(host, port);
  if (!address.ok()) return address.status();
  const std::string where = JoinHostAndPort(host, port);
  const int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError(std::strerror(errno));
  TcpConnection connection(fd);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  connect(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->size);
  if (!WaitFor(fd, POLLOUT, deadline)) {
    return NothingAnswers(where, "no answer in time", listen_flag);
  }
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    return NothingAnswers(where, std::strerror(error), listen_flag);
  }
  return connection;
}

TcpConnection::~TcpConnection() {
  if (fd_ >= 0) close(fd_);
}

TcpConnection::TcpConnection(TcpConnection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}

absl::Status TcpConnection::StartTls(const TlsFiles& files, const std::string& host,
                                     absl::Time deadline) {
  const absl::StatusOr<SslContextPtr> context = NewTlsContext(files);
  if (!context.ok()) return context.status();
  tls_ = NewTls(context->get(), host);
  SSL_set_fd(tls_.get(), fd_);
  while (true) {
    ERR_clear_error();
    const int result = SSL_connect(tls_.get());
    if (result == 1) return absl::OkStatus();
    const absl::Status status = WaitForTls(result, deadline);
    if (absl::IsDeadlineExceeded(status)) return absl::UnavailableError("TLS: no answer in time");
    if (!status.ok()) return status;
  }
}

absl::Status TcpConnection::WaitForTls(int result, absl::Time deadline) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      if (WaitFor(fd_, POLLIN, deadline)) return absl::OkStatus();
      return absl::DeadlineExceededError("nothing came");
    case SSL_ERROR_WANT_WRITE:
      if (WaitFor(fd_, POLLOUT, deadline)) return absl::OkStatus();
      return absl::DeadlineExceededError("the server takes no bytes");
    case SSL_ERROR_ZERO_RETURN:
      return absl::OutOfRangeError("the server ended the connection");
    case SSL_ERROR_SYSCALL:
      return errno == 0 ? absl::OutOfRangeError("the server ended the connection") : Broken(errno);
    default:
      break;
  }
  const long verified = SSL_get_verify_result(tls_.get());
  if (verified != X509_V_OK) {
    return absl::UnavailableError(Concat(
        "TLS: the server's certificate is not trusted: ", X509_verify_cert_error_string(verified),
        " (--cacert names whom to trust)"));
  }
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return absl::UnavailableError(Concat("TLS: ", reason == nullptr ? "no reason given" : reason));
}

absl::Status TcpConnection::Write(std::string_view bytes, absl::Time deadline) {
  while (tls_ != nullptr && !bytes.empty()) {
    ERR_clear_error();
    size_t sent = 0;
    const int result = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &sent);
    bytes.remove_prefix(sent);
    if (result == 1) continue;
    const absl::Status status = WaitForTls(result, deadline);
    if (!status.ok()) return absl::UnavailableError(status.message());
  }
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
  while (tls_ != nullptr) {
    ERR_clear_error();
    size_t received = 0;
    const int result = SSL_read_ex(tls_.get(), buffer, sizeof(buffer), &received);
    if (result == 1) {
      bytes->append(buffer, received);
      return absl::OkStatus();
    }
    if (absl::Status status = WaitForTls(result, deadline); !status.ok()) return status;
  }
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

absl::Status WhyNoSession(const std::string& host, const std::string& port,
                          std::string_view listen_flag, absl::Status otherwise) {
  const absl::Status status =
      TcpConnection::Connect(host, port, absl::Now() + absl::Seconds(1), listen_flag).status();
  return status.ok() ? otherwise : status;
}

}  // namespace crier::client
