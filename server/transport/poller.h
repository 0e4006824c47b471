// Readiness of all of a shard's sockets of one transport: one epoll set inside the shard's loop.
//
// Asio's own reactor would work too. But it tries every read at once and waits only afterwards. If
// a client sends one message and waits for the answer, this wastes one system call per message. It
// also keeps some 300 bytes and a lock per socket. Here a socket is read when it is readable, and a
// wait costs nothing.
#ifndef CRIER_SERVER_TRANSPORT_POLLER_H_
#define CRIER_SERVER_TRANSPORT_POLLER_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/metrics/handler_exceptions.h"
#include "server/metrics/instruments.h"

namespace crier {

// Level-triggered. Runs on: shard thread, except the constructor.
class Poller {
 public:
  class Target {
   public:
    virtual ~Target() = default;
    // `events`: EPOLLIN and so on. May add, change and remove any descriptor. May not destroy a
    // target, because other targets of the same batch will still be called: use Defer.
    virtual void OnReady(uint32_t events) = 0;
    // OnReady, or what was deferred for this target, has thrown, and that was noted. What it is
    // about has to end. May not destroy a target.
    virtual void OnException() = 0;
  };

  // Exceptions of targets and of what is deferred end here; `exceptions` counts them, where it is
  // not null (handler_exceptions.h).
  explicit Poller(boost::asio::io_context& io, Counter* exceptions = nullptr);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Starts to call targets.
  absl::Status Start();
  // Stops calling targets.
  void Stop();

  // `target` is called when `fd` has any of `events`, an error or a hangup. Closing a descriptor
  // removes it. Returns false if the kernel refuses.
  bool Add(int fd, uint32_t events, Target* target);
  void Change(int fd, uint32_t events, Target* target);
  void Remove(int fd);

  // Runs `task` soon, and in order: behind the targets that are being called now, or where none
  // are, in a turn of its own. Cheaper than a post, after which Asio asks the kernel for news
  // first. `target`: whom an exception of the task belongs to; null: nobody.
  void Defer(absl::AnyInvocable<void()> task, Target* target = nullptr);

  // Runs `action`. Where it throws, that is noted, and `target` told.
  template <class Action>
  void Guard(Target* target, Action&& action) noexcept {
    if (NoThrow(exceptions_, "a connection's handler", action) || target == nullptr) return;
    NoThrow(exceptions_, "a connection's end", [target] { target->OnException(); });
  }

  boost::asio::io_context& io() const { return io_; }
  // Calls `check` after each target that was called.
  void AfterEach(absl::AnyInvocable<void()> check) { after_each_ = std::move(check); }

  // The receive buffer of all targets, used by one at a time. Its content is not kept when control
  // returns to the loop.
  std::span<char> receive_buffer() { return {receive_buffer_.get(), kReceiveBytes}; }

  // True while targets are being called.
  bool dispatching() const { return dispatching_; }

  // The served time (served_time.h) as of the shard's last tick: near enough for timeouts, and free
  // of cost.
  TimePoint now() const { return now_; }
  void set_now(TimePoint now) { now_ = now; }

 private:
  static constexpr int kBatch = 128;
  // Targets of a batch that have not been called after this time come back in the next one, which
  // other handlers go before: a hundred clients that send as fast as they can must not keep the
  // others' turns waiting. The clock is looked at after each so many targets.
  static constexpr std::chrono::milliseconds kMostTime{10};
  static constexpr size_t kLookEvery = 4;
  // A few hundred small messages: more would keep the others waiting.
  static constexpr size_t kReceiveBytes = 16 << 10;

  void Wait();
  void Dispatch();
  void RunDeferred();

  struct Deferred {
    absl::AnyInvocable<void()> task;
    Target* target;
  };

  boost::asio::io_context& io_;
  Counter* const exceptions_;
  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> set_;
  size_t turn_ = 0;  // targets called so far
  bool stopped_ = false;
  bool dispatching_ = false;
  // RunDeferred was posted or is running.
  bool deferring_ = false;
  std::vector<Deferred> deferred_;
  absl::AnyInvocable<void()> after_each_;
  const std::unique_ptr<char[]> receive_buffer_;
  TimePoint now_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_POLLER_H_
