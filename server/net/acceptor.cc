#include "server/net/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/net/socket_options.h"

namespace crier {
namespace {

absl::Status ListenError(const ListenAddress& address, int error) {
  std::string reason = std::strerror(error);
  if (error == EADDRINUSE) reason = "the port is taken: another program listens there";
  if (error == EACCES) reason = "not permitted; ports below 1024 need privileges";
  if (error == EADDRNOTAVAIL) reason = "this machine has no such address";
  return absl::FailedPreconditionError(
      absl::StrCat("cannot listen on '", address.text, "': ", reason));
}

bool SetFlag(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

}  // namespace

Acceptor::Acceptor(boost::asio::io_context& io, ConnectionTable* table, Handler handler,
                   Refuser refuser)
    : io_(io), table_(table), handler_(std::move(handler)), refuser_(refuser) {
  OpenReserve();
}

Acceptor::~Acceptor() { Stop(); }

absl::Status Acceptor::Listen(std::string_view addresses) {
  absl::StatusOr<std::vector<ListenAddress>> parsed = ParseListenAddresses(addresses);
  if (!parsed.ok()) return parsed.status();
  for (const ListenAddress& address : *parsed) {
    absl::StatusOr<std::unique_ptr<Listener>> listener = Open(address);
    if (!listener.ok()) return listener.status();
    listeners_.push_back(*std::move(listener));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Acceptor::Listener>> Acceptor::Open(const ListenAddress& address) {
  absl::StatusOr<SocketAddress> resolved = Resolve(address);
  if (!resolved.ok()) return resolved.status();
  const int family = resolved->storage.ss_family;
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ListenError(address, errno);
  // A restart need not wait for connections of the last run to time out; two servers on one port
  // are still refused.
  SetFlag(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  // [::] takes IPv4 too, whatever the system's default is.
  if (family == AF_INET6) SetFlag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&resolved->storage), resolved->length) !=
          0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return ListenError(address, errno);
  }
  SocketAddress bound;
  bound.length = sizeof bound.storage;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length);
  return std::make_unique<Listener>(
      Listener{.socket = boost::asio::posix::stream_descriptor(io_, fd.release()),
               .retry = boost::asio::steady_timer(io_),
               .address = HostAndPortText(bound)});
}

std::string Acceptor::addresses() const {
  return absl::StrJoin(listeners_, ",", [](std::string* out, const auto& listener) {
    out->append(listener->address);
  });
}

void Acceptor::Start() {
  boost::asio::post(io_, [this, alive = std::weak_ptr<void>(alive_)] {
    if (alive.expired() || stopped_) return;
    for (const auto& listener : listeners_) Wait(listener.get());
  });
}

void Acceptor::Stop() {
  stopped_ = true;
  for (const auto& listener : listeners_) {
    boost::system::error_code ignored;
    listener->socket.close(ignored);
    listener->retry.cancel();
  }
}

void Acceptor::Wait(Listener* listener) {
  listener->socket.async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [this, listener, alive = std::weak_ptr<void>(alive_)](boost::system::error_code error) {
        if (alive.expired() || stopped_ || error) return;
        AcceptBatch(listener);
      });
}

// Runs on: the thread of io.
//
// accept is called only after readiness, and does not block: a blocking accept reserves its
// descriptor number when it is called, not when a client comes.
void Acceptor::AcceptBatch(Listener* listener) {
  const int listener_fd = listener->socket.native_handle();
  for (int i = 0; i < kBatch && !stopped_; ++i) {
    switch (AcceptOne(listener_fd)) {
      case Step::kAccepted:
        break;
      case Step::kDrained:
        return Wait(listener);
      case Step::kExhausted:
        return RetryLater(listener);
    }
  }
  if (!stopped_) Wait(listener);
}

Acceptor::Step Acceptor::AcceptOne(int listener_fd) {
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  UniqueFd fd(::accept4(listener_fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) {
    switch (errno) {
      case EAGAIN:
        return Step::kDrained;
      case EMFILE:
      case ENFILE:
        return RefuseWithReserve(listener_fd);
      case ENOBUFS:
      case ENOMEM:
        return Step::kExhausted;
      default:
        // accept(2): Linux passes errors of the new connection on here; it is gone, others wait.
        return Step::kAccepted;
    }
  }
  std::string address = HostText(peer);
  std::optional<ConnectionTable::Place> place = table_->Enter(address);
  if (!place.has_value()) {
    if (refuser_ != nullptr) refuser_(fd.get());
    return Step::kAccepted;
  }
  SetNoDelay(fd.get());
  handler_(AcceptedConnection{
      .fd = std::move(fd), .peer = std::move(address), .place = *std::move(place)});
  return Step::kAccepted;
}

// Nobody may be left waiting in the backlog: it would stay readable, and whoever looks after it
// would either spin or forget it.
Acceptor::Step Acceptor::RefuseWithReserve(int listener_fd) {
  if (!std::exchange(exhaustion_logged_, true)) {
    spdlog::warn("out of file descriptors: refusing connections; raise the limit (ulimit -n)");
  }
  reserve_.reset();
  UniqueFd fd(::accept4(listener_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool drained = !fd.valid() && errno == EAGAIN;
  if (fd.valid()) {
    table_->CountOutOfDescriptors();
    if (refuser_ != nullptr) refuser_(fd.get());
    fd.reset();
  }
  OpenReserve();
  if (!reserve_.valid()) return Step::kExhausted;
  return drained ? Step::kDrained : Step::kAccepted;
}

void Acceptor::RetryLater(Listener* listener) {
  listener->retry.expires_after(kRetryDelay);
  listener->retry.async_wait(
      [this, listener, alive = std::weak_ptr<void>(alive_)](boost::system::error_code error) {
        if (alive.expired() || stopped_ || error) return;
        if (!reserve_.valid()) OpenReserve();
        Wait(listener);
      });
}

void Acceptor::OpenReserve() { reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace crier
