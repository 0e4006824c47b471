// A WebSocket after its upgrade: frames in, frames out, and the closing handshake (RFC 6455,
// sections 5 to 7), over a Socket. Connection and EchoConnection stand on it.
//
// Writing. Control frames and the ranges of logs that a session lends (Session::Peek) leave
// together in one gather write (docs/architecture.md, "The write side of a WebSocket"):
// - Ping, pong and close go ahead of ranges at a frame boundary, never inside a cut frame.
// - After a close frame, nothing.
// - Each ping is answered, but while the socket takes nothing only the last of them is (section
//   5.5.3). Otherwise a client that pings without reading would make answers gather here.
// - After a send error nothing more is sent. What the peer sent before it went is still read, and
//   decides the outcome.
//
// The end.
//
//   kOpen ------> kClosing ------> kLeaving ---> kOver
//      \------------------------------^ |          ^
//       \--------------------------------\--------/
//
// Close goes to kClosing: our close frame is on its way, and what the peer sends until its own is
// passed over. In kLeaving nothing is read any more, and our last frame has to leave: the answer to
// the peer's close frame, or one that says which rule the peer broke. Behind the first the socket
// is closed at once, because nothing may follow the peer's close frame; behind the second it
// lingers. In kOver it is closed. A peer that goes without a word makes it kOver from any state, as
// does a socket that broke where nothing is to be read any more.
#ifndef CRIER_SERVER_WEBSOCKET_FRAME_STREAM_H_
#define CRIER_SERVER_WEBSOCKET_FRAME_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/engine/session.h"
#include "server/transport/send_batch.h"
#include "server/transport/socket.h"
#include "server/websocket/frame_reader.h"
#include "server/websocket/framing.h"

namespace crier {

// Runs on: shard thread, all of it.
class FrameStream final : private Socket::Owner {
 public:
  // The most that leaves with one wake, so that one session does not hold up the others.
  static constexpr size_t kBytesPerWake = 256 << 10;

  // None of these may destroy the stream.
  class Owner {
   public:
    // A whole message. Text is valid UTF-8. Valid until this returns.
    virtual void OnMessage(std::string_view payload, bool binary) = 0;
    // A ping has come. False: it gets no answer.
    virtual bool OnPing() = 0;
    // All that was to be sent has left.
    virtual void OnDrained() = 0;
    // The stream comes to its end, for this reason, and it was not Close: no message comes any
    // more. Where the owner does nothing, this can take for ever, as after Close.
    virtual void OnEnding(Outcome outcome) = 0;
    // What its close frame says then: "NAME: what is wrong".
    virtual std::string CloseReason(Outcome outcome, std::string_view problem) const;
    // The socket has broken. What is to be read from it is still read; it may be nothing.
    virtual void OnBroken() = 0;
    // The socket is closed. The last call.
    virtual void OnOver() = 0;
    // One of these, or the stream itself, has thrown.
    virtual void OnException() = 0;

   protected:
    ~Owner() = default;
  };

  // Begins without reading, until ReadOn. `owner` and `shared` outlive the stream.
  FrameStream(std::unique_ptr<Socket> socket, Owner* owner, FrameReaderShared* shared,
              FrameReader::Options options);
  FrameStream(const FrameStream&) = delete;
  FrameStream& operator=(const FrameStream&) = delete;

  // From here on, ranges of this session are sent too. Null: no more.
  void set_session(Session* session) { session_ = session; }

  // --- Reading.

  // Bytes that were read from the socket before. REQUIRES: before the first ReadOn.
  void Unread(std::string_view bytes) { Keep(bytes); }
  // No message is handed on until ReadOn, which may hand on some itself. What has come and was not
  // looked at is kept: at most a receive buffer. While the stream closes, it reads all the same.
  void PauseReading();
  void ReadOn();
  // The peer has sent bytes that nobody has looked at yet, as far as can be seen.
  bool HasUnread() const { return kept_ != nullptr || socket_->HasUnread(); }

  // --- Writing.

  // While corked, nothing is sent.
  void Cork() { corked_ = true; }
  void Uncork();
  // The answer to the upgrade: leaves before everything else, with the next Flush.
  void Begin(std::string answer);
  // A frame that is no range. Leaves with the next Flush.
  void WriteFrame(FrameStart start, std::string_view payload);
  // How many bytes wait that are no ranges.
  size_t waiting_bytes() const { return backlog_ == nullptr ? 0 : backlog_->size(); }
  // Sends the waiting bytes and the session's events with one system call.
  void Flush();
  // The same, but adds the bytes to the batch if possible. They leave when the batch is submitted.
  // REQUIRES: the batch is submitted before anything else is done with the stream.
  void FlushInto(SendBatch* batch);
  // Sends a ping frame without payload.
  void Ping();

  // --- The end.

  // Sends a close frame and waits for the peer's. `reason` is cut to what fits.
  void Close(uint16_t code, std::string_view reason);
  // The socket is closed now, and OnOver comes before this returns; not where it was kOver before.
  void HardClose();
  // The connection cannot go on: sends a close frame where that can be done at once, and closes the
  // socket. Nothing is called.
  void Abandon(std::optional<uint16_t> code);

  bool is_open() const { return phase_ == Phase::kOpen; }
  bool is_over() const { return phase_ == Phase::kOver; }
  // The kernel has taken our close frame, or the peer's has come.
  bool closed_in_form() const { return close_frame_ == CloseFrame::kSent || peer_closed_; }

  const Socket& socket() const { return *socket_; }

 private:
  enum class Phase : uint8_t { kOpen, kClosing, kLeaving, kOver };
  enum class CloseFrame : uint8_t { kNone, kQueued, kSent };

  // The bytes that wait to be sent besides the session's ranges, in this order. Exists only while
  // there are any.
  struct Backlog {
    std::string rest;  // of a frame that was cut, from rest_at on
    size_t rest_at = 0;
    std::string pongs;   // whole frames
    std::string others;  // whole frames
    std::string_view rest_left() const { return std::string_view(rest).substr(rest_at); }
    size_t size() const { return rest.size() - rest_at + pongs.size() + others.size(); }
  };
  // Bytes that came and were not looked at.
  struct Kept {
    std::string bytes;
    MemoryShare share;
  };
  struct Ranges;

  // --- Socket::Owner.
  void OnBytes(std::span<char> bytes) override;
  void OnEnd(int error) override;
  void OnWritable() override;
  void OnSent(size_t taken) override;
  void OnBroken() override;
  void OnLingered() override { Over(); }
  void OnException() override { owner_->OnException(); }

  bool reads() const { return !paused_ || phase_ != Phase::kOpen; }
  void Keep(std::string_view bytes);
  void ReadKept();
  void HandleBytes(std::span<char> bytes);
  void Handle(const Received& received);
  void OnPeerClose(std::string_view payload);
  void Fail(const Received& error);

  // --- frame_stream_write.cc
  Backlog& EnsureBacklog();
  bool CanWrite() const { return !corked_ && phase_ != Phase::kOver && socket_->CanSend(); }
  void QueuePong(std::string_view payload);
  void QueueClose(std::string_view payload);
  void Gather(Ranges* ranges);
  void Taken(size_t bytes);
  void TakeFromBacklog(size_t* bytes);
  void Sent(size_t taken, size_t offered);
  // Goes on with the end, where our last frame has left.
  void LeaveIfSent();
  void Over();

  const std::unique_ptr<Socket> socket_;
  Owner* const owner_;
  Session* session_ = nullptr;
  FrameReader reader_;
  FrameReaderShared& shared_;
  std::unique_ptr<Kept> kept_;
  std::unique_ptr<Backlog> backlog_;
  uint32_t batched_ = 0;  // bytes that are in the batch
  Phase phase_ = Phase::kOpen;
  CloseFrame close_frame_ = CloseFrame::kNone;
  bool corked_ = false;
  bool paused_ = true;
  bool handling_ = false;  // HandleBytes is on the stack
  bool peer_closed_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_FRAME_STREAM_H_
