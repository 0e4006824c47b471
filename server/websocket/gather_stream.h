// The layer between the WebSocket protocol (a Connection, and Beast's stream where it has one) and
// the socket. It owns the write side: control frames and the engine's ranges of log meet here and
// leave together in one gather write.
//
// Rules (docs/architecture.md, "The write side of a WebSocket"):
// - Data frames never go through Beast: they are ranges that the session lends (Session::Peek).
// - Each of Beast's writes is accepted whole and completed later, never from the initiating call:
//   when the kernel has taken its bytes. A pong alone is completed at once, and a newer pong takes
//   the place of one that has not left (RFC 6455, section 5.5.3): else a client that pings without
//   reading would stop its own session from being read.
// - Ping, pong and close go ahead of ranges at a frame boundary, never inside a cut frame.
// - After a close frame, no data frame.
// - After a send error nothing more is sent, and Beast's writes end well without being sent. The
//   pending read takes what the peer sent before it went and decides the outcome.
#ifndef CRIER_SERVER_WEBSOCKET_GATHER_STREAM_H_
#define CRIER_SERVER_WEBSOCKET_GATHER_STREAM_H_

#include <sys/uio.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/engine/session.h"
#include "server/net/unique_fd.h"
#include "server/transport/poller.h"
#include "server/transport/send_batch.h"
#include "server/websocket/handler_slot.h"

namespace crier {

// An AsyncStream. Not final only because Asio has to derive from it to find out that it is no
// executor. Runs on: shard thread, all of it.
//
// Has to outlive the operations that are under way on it; HardClose ends them.
class GatherStream : private Poller::Target, private SendBatch::Sender {
 public:
  using executor_type = boost::asio::io_context::executor_type;
  using error_code = boost::system::error_code;

  // At most so much leaves with one wake, so that one session does not hold up the others.
  static constexpr size_t kBytesPerWake = 256 << 10;

  // Who wants to know that the connection comes to an end by itself.
  class Owner {
   public:
    // A close frame waits to be sent, or nothing can be sent any more. What is left has to come to
    // an end in limited time. May not destroy the stream.
    virtual void OnStreamEnding() = 0;

   protected:
    ~Owner() = default;
  };

  // A non-blocking socket, and what the poller looks for on it (0: it does not know it).
  struct Handle {
    UniqueFd fd;
    uint32_t interest = 0;
  };

  // `poller` outlives the stream. `owner` may be null.
  GatherStream(Poller* poller, Handle handle, Owner* owner);
  ~GatherStream() override;
  GatherStream(const GatherStream&) = delete;
  GatherStream& operator=(const GatherStream&) = delete;

  // --- For who reads, and for Beast.

  executor_type get_executor() const noexcept { return poller_->io().get_executor(); }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    read_into_count_ = 0;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto it = boost::asio::buffer_sequence_begin(buffers);
         it != end && read_into_count_ < read_into_.size(); ++it) {
      const boost::asio::mutable_buffer buffer(*it);
      if (buffer.size() == 0) continue;
      read_into_[read_into_count_++] = {.iov_base = buffer.data(), .iov_len = buffer.size()};
    }
    reader_.Arm(std::forward<Handler>(handler));
    StartRead();
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    std::string bytes(boost::asio::buffer_size(buffers), '\0');
    boost::asio::buffer_copy(boost::asio::buffer(bytes), buffers);
    Backlog& backlog = EnsureBacklog();
    backlog.writer.Arm(std::forward<Handler>(handler));
    backlog.writer_bytes = bytes.size();
    AcceptWrite(std::move(bytes));
  }

  // Beast is done with the connection: the rest of the queue is dropped, the peer is told that no
  // more will come, and what it still sends is thrown away until it is gone too (see
  // set_close_at_once). Never fails.
  template <class Handler>
  void async_shut_down(Handler&& handler) {
    reader_.Arm(
        [end = std::forward<Handler>(handler)](error_code error, size_t) mutable { end(error); });
    StartShutdown();
  }

  // --- For the connection.

  // Bytes that were read from the socket already: they come first, before what was unread before.
  void Unread(std::string_view bytes);

  // Forgets the handler of the read that is under way. What the read would have got is the next
  // one's, which has to follow before the stream is destroyed. REQUIRES: there is one, and not
  // async_shut_down.
  void CancelRead();

  // From here on, ranges of this session are sent too. Null: no more.
  void set_session(Session* session) { session_ = session; }

  // While corked, nothing is sent.
  void Cork() { corked_ = true; }
  void Uncork();

  // Sends what waits here and what the session is owed, with one system call.
  void Flush();
  // The same, or adds what there is to the batch, where that can be: then it has left when the
  // batch is submitted. REQUIRES: it is submitted before anything else is done with the stream.
  void FlushInto(SendBatch* batch);

  // Sends a ping frame without payload.
  void Ping();
  // Sends a pong frame, in the place of one that has not left.
  void Pong(std::string_view payload);

  // The peer's close frame is, or will be, the last that is read: nothing may follow it, so the
  // socket need not wait for the peer to go.
  void set_close_at_once() { close_at_once_ = true; }

  // Closes the socket. What is under way ends with operation_aborted, soon.
  void HardClose();

  // Gives the socket away, to be wrapped again in the same handler. REQUIRES: no operation is under
  // way.
  Handle Release();

  int native_handle() const { return fd_.get(); }
  bool is_open() const { return fd_.get() >= 0; }
  // The kernel has taken a close frame.
  bool close_frame_sent() const { return close_frame_sent_; }
  // A send has failed.
  bool broken() const { return broken_; }

  // When a byte was last received, and when the kernel last took one, as of the shard's last tick.
  TimePoint last_received() const { return last_received_; }
  TimePoint last_taken() const { return last_taken_; }

 private:
  // What waits to be sent besides the session's ranges, in this order. Exists only while something
  // does.
  struct Backlog {
    std::string rest;     // of a frame that was cut
    std::string pong;     // the newest one
    std::string control;  // other control frames; HTTP before the upgrade
    HandlerSlot writer;   // Beast's write, one at a time
    size_t writer_bytes = 0;
    bool writer_waits = false;  // until rest and control have left
    error_code writer_error;
    bool empty() const {
      return rest.empty() && pong.empty() && control.empty() && !writer.armed();
    }
  };
  struct Ranges;

  void OnReady(uint32_t events) override;
  void BecomeWritable();
  void Mute(uint32_t events);
  void Listen(uint32_t events);

  void StartRead();
  void Read();
  void PostRead(error_code error);
  void CompletePostedRead();
  void StartShutdown();
  // Throws away what is readable; true: nothing more will come.
  bool Discard();

  Backlog& EnsureBacklog();
  void AcceptWrite(std::string bytes);
  bool CanSend() const { return !corked_ && !blocked_ && !broken_ && is_open(); }
  void Gather(Ranges* ranges);
  // What the kernel answered to a send of `offered` bytes: how many it took, or a negative errno.
  void Sent(ssize_t result, size_t offered);
  void OnSent(ssize_t result) override;
  void TakeFromBacklog(size_t* bytes);
  void Taken(size_t bytes);
  void Block();
  void Break();
  void PostWriter(error_code error);
  void CompleteWriter();

  Poller* const poller_;
  Owner* const owner_;
  UniqueFd fd_;
  Session* session_ = nullptr;

  bool polled_ = false;  // fd_ is in the poller's set
  bool corked_ = false;
  bool blocked_ = false;
  bool broken_ = false;
  bool shutting_down_ = false;
  bool close_at_once_ = false;
  bool close_frame_queued_ = false;
  bool close_frame_sent_ = false;
  bool read_posted_ = false;
  uint32_t interest_ = 0;  // of EPOLLIN and EPOLLOUT
  uint32_t batched_ = 0;   // bytes that are in the batch

  HandlerSlot reader_;
  // Beast reads into a ring: two pieces at most.
  std::array<iovec, 2> read_into_{};
  size_t read_into_count_ = 0;
  error_code posted_read_error_;
  std::unique_ptr<std::string> unread_;
  std::unique_ptr<Backlog> backlog_;

  TimePoint last_received_;
  TimePoint last_taken_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_GATHER_STREAM_H_
