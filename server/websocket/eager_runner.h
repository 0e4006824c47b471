// Runs a completion that is ready at once right after the call that started the operation, instead
// of behind everything else in the loop.
#ifndef CRIER_SERVER_WEBSOCKET_EAGER_RUNNER_H_
#define CRIER_SERVER_WEBSOCKET_EAGER_RUNNER_H_

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

#include "server/websocket/handler_slot.h"

namespace crier {

// Beast completes a read of what it has already received by a post, as it has to: a completion may
// not come from inside the initiating call. With a post per message, every one of a hundred
// messages that came in one segment is flushed by itself. Usage:
//
//   runner.Open();
//   stream.async_read_some(buffers, bind_executor(runner.get_executor(), handler));
//   runner.Close();
//   runner.RunOne();  // the handler, where the read was done at once
//
// What is posted while the runner is not open goes to the loop. Runs on: shard thread, all of it.
class EagerRunner {
 public:
  class Executor {
   public:
    explicit Executor(EagerRunner* runner) : runner_(runner) {}
    template <class Function>
    void execute(Function&& function) const {
      runner_->Take(std::forward<Function>(function));
    }
    // Never runs a function from inside execute.
    static constexpr boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) {
      return boost::asio::execution::blocking.never;
    }
    boost::asio::io_context& query(boost::asio::execution::context_t) const noexcept {
      return runner_->io_;
    }
    friend bool operator==(const Executor& a, const Executor& b) noexcept {
      return a.runner_ == b.runner_;
    }
    friend bool operator!=(const Executor& a, const Executor& b) noexcept { return !(a == b); }

   private:
    EagerRunner* runner_;
  };

  explicit EagerRunner(boost::asio::io_context& io) : io_(io) {}

  Executor get_executor() { return Executor(this); }
  void Open() { open_ = true; }
  void Close() { open_ = false; }
  // Runs what was taken; false: nothing was.
  bool RunOne() {
    assert(!open_);
    if (!taken_.armed()) return false;
    taken_.Fire({}, 0);
    return true;
  }

 private:
  template <class Function>
  void Take(Function&& function) {
    if (!open_ || taken_.armed()) {
      // Wrapped: by itself it would lead back to this executor.
      boost::asio::post(io_, [run = std::forward<Function>(function)]() mutable { run(); });
      return;
    }
    taken_.Arm([run = std::forward<Function>(function)](boost::system::error_code, size_t) mutable {
      run();
    });
  }

  boost::asio::io_context& io_;
  HandlerSlot taken_;
  bool open_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_EAGER_RUNNER_H_
