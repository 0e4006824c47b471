// Looks at a connection again and again while it is up. Private to this folder.
#ifndef CRIER_SERVER_CLUSTER_REDIS_TICKER_H_
#define CRIER_SERVER_CLUSTER_REDIS_TICKER_H_

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "server/base/clock.h"

namespace crier {

// Runs on: the thread of `io`.
class RedisTicker {
 public:
  // `tick` may stop the ticker.
  RedisTicker(boost::asio::io_context* io, std::chrono::milliseconds interval,
              std::function<void(TimePoint now)> tick)
      : timer_(*io), interval_(interval), tick_(std::move(tick)) {}

  void Start() {
    last_ = std::chrono::steady_clock::now();
    Arm();
  }
  void Stop() {
    ++round_;
    timer_.cancel();
  }

 private:
  void Arm() {
    timer_.expires_after(interval_);
    timer_.async_wait(
        [this, alive = std::weak_ptr<bool>(alive_), round = ++round_](boost::system::error_code) {
          if (alive.expired() || round != round_) return;
          const TimePoint now = std::chrono::steady_clock::now();
          const bool is_late = now - std::exchange(last_, now) > 2 * interval_;
          Arm();
          // This process stood still: what Redis has sent meanwhile has to be read first.
          if (!is_late) tick_(now);
        });
  }

  boost::asio::steady_timer timer_;
  const std::chrono::milliseconds interval_;
  const std::function<void(TimePoint now)> tick_;
  TimePoint last_{};
  uint64_t round_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// How often to look, so that the end of `timeout` is noticed soon.
inline std::chrono::milliseconds TickInterval(std::chrono::milliseconds timeout) {
  return std::max(timeout / 8, std::chrono::milliseconds(1));
}

// How long nothing may come before Redis is asked whether it is there.
inline Duration PingAfter(std::chrono::milliseconds timeout) {
  return std::min<Duration>(std::chrono::seconds(1), timeout / 2);
}

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_TICKER_H_
