#include "server/net/acceptor.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_join.h"
#include "server/net/listen_address.h"
#include "server/net/listen_socket.h"

namespace crier {

Acceptor::Acceptor(boost::asio::io_context& io, ConnectionTable* table, Handler handler,
                   Refuser refuser, bool use_reserve)
    : io_(io),
      table_(table),
      handler_(std::move(handler)),
      refuser_(refuser),
      use_reserve_(use_reserve) {
  OpenReserve();
}

Acceptor::~Acceptor() { Stop(); }

absl::Status Acceptor::Listen(std::string_view addresses) {
  const absl::StatusOr<std::vector<ListenAddress>> parsed = ParseListenAddresses(addresses);
  if (!parsed.ok()) return parsed.status();
  for (const ListenAddress& host : *parsed) {
    const absl::StatusOr<std::vector<SocketAddress>> resolved = Resolve(host);
    if (!resolved.ok()) return resolved.status();
    absl::StatusOr<std::vector<ListenSocket>> sockets = OpenListenSockets(host, *resolved);
    if (!sockets.ok()) return sockets.status();
    for (ListenSocket& socket : *sockets) {
      listeners_.push_back(std::make_unique<Listener>(
          Listener{.socket = boost::asio::posix::stream_descriptor(io_, socket.fd.release()),
                   .retry = boost::asio::steady_timer(io_),
                   .address = socket.address}));
    }
  }
  return absl::OkStatus();
}

std::string Acceptor::addresses() const {
  return absl::StrJoin(listeners_, ",", [](std::string* out, const auto& listener) {
    out->append(HostAndPortText(listener->address));
  });
}

bool Acceptor::loopback_only() const {
  return std::all_of(listeners_.begin(), listeners_.end(),
                     [](const auto& listener) { return IsLoopback(listener->address); });
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
  greeted_.clear();
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
// accept is called only after readiness and does not block. A blocking accept would reserve its
// descriptor number when it is called, not when a client comes.
void Acceptor::AcceptBatch(Listener* listener) {
  const int listener_fd = listener->socket.native_handle();
  for (int i = 0; i < kBatch && !stopped_; ++i) {
    Step step = Step::kExhausted;
    try {
      step = AcceptOne(listener_fd);
    } catch (const std::bad_alloc&) {
      // As where the kernel has no memory: later.
    }
    switch (step) {
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
        // accept(2): Linux returns errors of the new connection here. It is gone, others wait.
        return Step::kAccepted;
    }
  }
  std::string address = HostText(peer);
  RefusalKind why = RefusalKind::kTotal;
  std::optional<ConnectionTable::Place> place =
      table_->Enter(address, std::chrono::steady_clock::now(), &why);
  if (!place.has_value() && use_reserve_) place = table_->EnterReserve();
  if (!place.has_value()) {
    if (refuser_ != nullptr) refuser_(fd.get(), why);
    return Step::kAccepted;
  }
  if (proxy_header_timeout_ && table_->IsTrustedProxy(address)) {
    Greet(std::move(fd), std::move(address), *std::move(place));
  } else {
    HandOver(std::move(fd), std::move(address), *std::move(place));
  }
  return Step::kAccepted;
}

void Acceptor::HandOver(UniqueFd fd, std::string peer, ConnectionTable::Place place) {
  handler_(
      AcceptedConnection{.fd = std::move(fd), .peer = std::move(peer), .place = std::move(place)});
}

void Acceptor::Greet(UniqueFd fd, std::string peer, ConnectionTable::Place place) {
  greeted_.emplace_back();
  const auto greeted = std::prev(greeted_.end());
  greeted->peer = std::move(peer);
  greeted->place = std::move(place);
  greeted->greeting.emplace(io_, std::move(fd), *proxy_header_timeout_,
                            [this, greeted](ProxyGreeting::End end, std::string client) {
                              OnGreeted(greeted, end, std::move(client));
                            });
  greeted->greeting->Start();
}

void Acceptor::OnGreeted(std::list<Greeted>::iterator greeted, ProxyGreeting::End end,
                         std::string client) {
  UniqueFd fd = greeted->greeting->Release();
  std::string peer = std::move(greeted->peer);
  ConnectionTable::Place place = std::move(greeted->place);
  greeted_.erase(greeted);
  if (end == ProxyGreeting::End::kRefused) {
    const auto left_out = wrong_headers_.Admit(std::chrono::steady_clock::now());
    if (!left_out) return;
    return spdlog::warn(
        "refused a connection from the trusted proxy {}: --proxy_protocol wants a header of the "
        "PROXY protocol first, and {} ({} more refused since the last such line)",
        peer, client, *left_out);
  }
  if (end == ProxyGreeting::End::kGone) return;
  if (!client.empty()) {
    RefusalKind why = RefusalKind::kPerAddress;
    if (!place.CountFor(client, std::chrono::steady_clock::now(), &why)) {
      if (refuser_ != nullptr) refuser_(fd.get(), why);
      return;
    }
    peer = std::move(client);
  }
  HandOver(std::move(fd), std::move(peer), std::move(place));
}

// No connection may stay in the backlog: the socket would stay readable, and the acceptor would
// either spin or never look again.
Acceptor::Step Acceptor::RefuseWithReserve(int listener_fd) {
  if (!std::exchange(exhaustion_logged_, true)) {
    spdlog::warn("out of file descriptors: refusing connections; raise the limit (ulimit -Hn)");
  }
  reserve_.reset();
  UniqueFd fd(::accept4(listener_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool drained = !fd.valid() && errno == EAGAIN;
  if (fd.valid()) {
    table_->CountOutOfDescriptors();
    if (refuser_ != nullptr) refuser_(fd.get(), RefusalKind::kDescriptors);
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
