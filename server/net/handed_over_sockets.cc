#include "server/net/handed_over_sockets.h"

#include <sys/socket.h>

#include <optional>
#include <utility>

namespace crier {
namespace {

// nullopt: `fd` is no open socket.
std::optional<uint64_t> CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

}  // namespace

HandedOverSockets::HandedOverSockets(boost::asio::io_context& io, ConnectionTable* table)
    : table_(table), timer_(io) {
  table_->SetReclaimer([this] { SweepUnderPressure(); });
}

HandedOverSockets::~HandedOverSockets() { table_->SetReclaimer(nullptr); }

void HandedOverSockets::Add(int fd, ConnectionTable::Place place) {
  const std::optional<uint64_t> cookie = CookieOf(fd);
  // Closed already: nothing to wait for, `place` ends here.
  if (!cookie.has_value()) return;
  {
    MutexLock lock(&mutex_);
    entries_.insert_or_assign(fd, Entry{*cookie, std::move(place)});
  }
  ArmTimer();
}

size_t HandedOverSockets::Sweep() {
  MutexLock lock(&mutex_);
  last_sweep_ = std::chrono::steady_clock::now();
  return absl::erase_if(
      entries_, [](const auto& item) { return CookieOf(item.first) != item.second.cookie; });
}

void HandedOverSockets::SweepUnderPressure() {
  {
    MutexLock lock(&mutex_);
    if (std::chrono::steady_clock::now() - last_sweep_ < kSweepPause) return;
  }
  Sweep();
}

size_t HandedOverSockets::size() const {
  MutexLock lock(&mutex_);
  return entries_.size();
}

void HandedOverSockets::ArmTimer() {
  if (std::exchange(timer_armed_, true)) return;
  timer_.expires_after(kSweepInterval);
  timer_.async_wait([this, alive = std::weak_ptr<void>(alive_)](boost::system::error_code error) {
    if (alive.expired() || error) return;
    timer_armed_ = false;
    Sweep();
    if (size() > 0) ArmTimer();
  });
}

}  // namespace crier
