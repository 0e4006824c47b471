// Readiness of all of a shard's WebSocket sockets: one epoll set inside the shard's loop.
//
// Asio's own reactor would do. It tries every read at once and only then waits, which for a client
// that sends one message and awaits the answer is a system call in vain per message; and it keeps
// some 300 bytes and a lock per socket. Here a socket is read when it is readable, and a wait costs
// nothing.
#ifndef CRIER_SERVER_TRANSPORT_POLLER_H_
#define CRIER_SERVER_TRANSPORT_POLLER_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "server/base/clock.h"

namespace crier {

// Level-triggered. Runs on: shard thread, all of it but the constructor.
class Poller {
 public:
  class Target {
   public:
    virtual ~Target() = default;
    // `events`: EPOLLIN and so on. May add, change and remove any descriptor; may not destroy a
    // target (Defer that: other targets of the same batch are yet to be called).
    virtual void OnReady(uint32_t events) = 0;
  };

  explicit Poller(boost::asio::io_context& io);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Begins to call targets.
  absl::Status Start();
  // Calls no target any more.
  void Stop();

  // `target` is called when any of `events`, an error or a hangup stands on `fd`. A descriptor that
  // is closed is removed by that. Returns false where the kernel refuses.
  bool Add(int fd, uint32_t events, Target* target);
  void Change(int fd, uint32_t events, Target* target);
  void Remove(int fd);

  // Runs `task` soon, and in order: behind the targets that are being called now, or where none
  // are, in a turn of its own. Cheaper than a post, after which Asio asks the kernel for news
  // first.
  void Defer(absl::AnyInvocable<void()> task);

  boost::asio::io_context& io() const { return io_; }
  // True while targets are being called.
  bool dispatching() const { return dispatching_; }

  // The time as of the shard's last tick: near enough for timeouts, and free of cost.
  TimePoint now() const { return now_; }
  void set_now(TimePoint now) { now_ = now; }

 private:
  static constexpr int kBatch = 128;

  void Wait();
  void Dispatch();
  void RunDeferred();

  boost::asio::io_context& io_;
  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> set_;
  bool stopped_ = false;
  bool dispatching_ = false;
  // RunDeferred is on its way or under way.
  bool deferring_ = false;
  std::vector<absl::AnyInvocable<void()>> deferred_;
  TimePoint now_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_POLLER_H_
