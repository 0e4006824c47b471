#include "server/transport/poller.h"

#include <sys/epoll.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

namespace crier {

Poller::Poller(boost::asio::io_context& io) : io_(io), set_(io) {}

absl::Status Poller::Start() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "epoll_create1");
  boost::system::error_code error;
  set_.assign(fd, error);
  if (error) return absl::InternalError("the event loop does not take an epoll set");
  Wait();
  return absl::OkStatus();
}

void Poller::Stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  set_.close(ignored);
}

bool Poller::Add(int fd, uint32_t events, Target* target) {
  epoll_event event{.events = events, .data = {.ptr = target}};
  return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::Change(int fd, uint32_t events, Target* target) {
  epoll_event event{.events = events, .data = {.ptr = target}};
  ::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::Remove(int fd) { ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, fd, nullptr); }

void Poller::Wait() {
  set_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                  [this](const boost::system::error_code& error) {
                    // Stopped: *this may be gone.
                    if (!error) Dispatch();
                  });
}

void Poller::Dispatch() {
  // Runs on: shard thread
  if (stopped_) return;
  std::array<epoll_event, kBatch> events;
  const int count = ::epoll_wait(set_.native_handle(), events.data(), kBatch, 0);
  dispatching_ = true;
  const bool posted = std::exchange(deferring_, true);
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<size_t>(i)];
    static_cast<Target*>(event.data.ptr)->OnReady(event.events);
  }
  dispatching_ = false;
  Wait();
  // Where it was posted before, it is on its way anyway, and its order is kept.
  if (!posted) RunDeferred();
}

void Poller::Defer(absl::AnyInvocable<void()> task) {
  deferred_.push_back(std::move(task));
  if (std::exchange(deferring_, true)) return;
  boost::asio::post(io_, [this] { RunDeferred(); });
}

void Poller::RunDeferred() {
  // By index, because tasks add tasks.
  for (size_t i = 0; i < deferred_.size(); ++i) {
    absl::AnyInvocable<void()> task = std::move(deferred_[i]);
    task();
  }
  deferred_.clear();
  deferring_ = false;
}

}  // namespace crier
