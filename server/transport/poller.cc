#include "server/transport/poller.h"

#include <sys/epoll.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <utility>

namespace crier {

Poller::Poller(boost::asio::io_context& io, Counter* exceptions)
    : io_(io), exceptions_(exceptions), set_(io), receive_buffer_(new char[kReceiveBytes]) {}

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
  const auto began = std::chrono::steady_clock::now();
  // The kernel names those that are still ready in the same order each time, so who comes first
  // changes from batch to batch.
  const size_t first = turn_;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    if (i % kLookEvery == kLookEvery - 1 && std::chrono::steady_clock::now() - began > kMostTime) {
      break;
    }
    ++turn_;
    const auto& event = events[(first + i) % static_cast<size_t>(count)];
    auto* const target = static_cast<Target*>(event.data.ptr);
    Guard(target, [target, &event] { target->OnReady(event.events); });
    if (after_each_) Guard(nullptr, after_each_);
  }
  dispatching_ = false;
  Wait();
  // If it was posted before, it will run anyway, and the order is kept.
  if (!posted) RunDeferred();
}

void Poller::Defer(absl::AnyInvocable<void()> task, Target* target) {
  deferred_.push_back({.task = std::move(task), .target = target});
  if (std::exchange(deferring_, true)) return;
  boost::asio::post(io_, [this] { RunDeferred(); });
}

void Poller::RunDeferred() {
  // By index, because tasks may add tasks.
  for (size_t i = 0; i < deferred_.size(); ++i) {
    Deferred deferred = std::move(deferred_[i]);
    Guard(deferred.target, [&deferred] { deferred.task(); });
  }
  deferred_.clear();
  deferring_ = false;
}

}  // namespace crier
