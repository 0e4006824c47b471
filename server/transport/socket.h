// One connected socket of a transport: bytes in, bytes out, and its end. What stands on it knows
// the protocol, and no system call. It may have TLS (tls_session.h): then the bytes are those
// inside of it, nothing can be sent until the handshake is over, and what a send has taken is kept
// here, encrypted, until the kernel takes it.
//
//   kOpen -----> kBroken      a send has failed; what the peer sent before is still read
//     |  \          |
//     |   v         |
//     | kLingering  |         our side is shut; what the peer still sends is dropped
//     |     |       |
//     v     v       v
//          kClosed
//
// Readiness. The socket is added to the shard's epoll set once and stays there, watched for bytes
// of the peer. It is watched for room as well while a send was not taken whole (blocked). While
// nobody wants bytes (PauseReading) and some come, it is not watched for them any more.
#ifndef CRIER_SERVER_TRANSPORT_SOCKET_H_
#define CRIER_SERVER_TRANSPORT_SOCKET_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "server/base/clock.h"
#include "server/net/unique_fd.h"
#include "server/transport/poller.h"
#include "server/transport/send_batch.h"
#include "server/transport/tls_session.h"

namespace crier {

// Runs on: shard thread, all of it.
class Socket final : private Poller::Target, private SendBatch::Sender {
 public:
  enum class State : uint8_t { kOpen, kBroken, kLingering, kClosed };

  // None of these may destroy the socket; each may close it, or give it another owner.
  class Owner {
   public:
    // These bytes have come. They lie in the shard's receive buffer, where they may be changed, and
    // are gone when this returns.
    virtual void OnBytes(std::span<char> bytes) = 0;
    // Nothing more will come. 0: the peer has shut its side; else an errno. Once.
    virtual void OnEnd(int error) = 0;
    // Bytes can be sent again (CanSend), or with TLS for the first time.
    virtual void OnWritable() = 0;
    // What became of SendLater: so many bytes were taken. Follows OnBroken where that is why.
    virtual void OnSent(size_t taken) = 0;
    // A send has failed; or, while nobody reads, the connection broke. Once. Nothing can be sent
    // any more. What came before can still be read, and then its end.
    virtual void OnBroken() = 0;
    // Lingering is over: the socket is closed.
    virtual void OnLingered() = 0;
    // One of these, or the socket itself, has thrown, and that was noted.
    virtual void OnException() = 0;

   protected:
    ~Owner() = default;
  };

  // `fd`: non-blocking. `poller` and `owner` outlive the socket. `tls`: null where there is none.
  Socket(Poller* poller, UniqueFd fd, Owner* owner, std::unique_ptr<TlsSession> tls = nullptr);
  ~Socket() override;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void set_owner(Owner* owner) { owner_ = owner; }

  // --- Reading. At most one receive buffer is read per turn.

  // Begins to read. Where bytes are likely to be there already, reads them at once, and so may call
  // OnBytes or OnEnd.
  void Start(bool read_now);
  // OnBytes and OnEnd are not called until ResumeReading, which calls neither of them itself. Each
  // may be called at any time, any number of times.
  void PauseReading() { reading_ = false; }
  void ResumeReading();
  bool reading() const { return reading_; }
  // Bytes wait in the kernel.
  bool HasUnread() const;

  // --- Sending. REQUIRES: CanSend().

  bool CanSend() const { return state_ == State::kOpen && !blocked_; }
  // Some of what was taken waits here for the kernel.
  bool HasUnsent() const { return tls_ != nullptr && !tls_->unsent().empty(); }
  // Returns how many bytes were taken. Fewer than there are: the rest has to be offered again with
  // OnWritable, or the socket is broken.
  size_t Send(std::string_view bytes);
  // The same, of several ranges: `size` bytes together.
  size_t Send(std::span<const iovec> ranges, size_t size);
  // The same, with the batch. Neither the bytes nor the socket may change until its OnSent.
  void SendLater(SendBatch* batch, std::string_view bytes);

  // --- The end.

  // Shuts our side, drops what the peer still sends, and closes the socket when the peer has left
  // (OnLingered): a socket that is closed with bytes unread makes the kernel send a reset, and the
  // peer may lose our last bytes before it has read them. The caller limits how long this takes.
  // True: the peer has left already; the socket is closed, and OnLingered does not come.
  bool Linger();
  // Closes the socket. Nothing is called any more. Twice is no error.
  void Close();

  State state() const { return state_; }
  // Null: it has none.
  const TlsSession* tls() const { return tls_.get(); }
  bool is_open() const { return state_ != State::kClosed; }
  bool broken() const { return state_ == State::kBroken; }
  bool lingering() const { return state_ == State::kLingering; }
  // Negative: closed.
  int fd() const { return fd_.get(); }
  Poller& poller() const { return poller_; }

  // The times of the last byte received and of the last byte that the kernel took, by the shard's
  // ticks.
  TimePoint last_received() const { return last_received_; }
  TimePoint last_taken() const { return last_taken_; }

 private:
  void OnReady(uint32_t events) override;
  void OnException() override { owner_->OnException(); }
  void OnSent(ssize_t result) override;

  void Read();
  void OnCipherText(std::span<char> received);
  void Unblock();
  void Mute(uint32_t events);
  void Watch(uint32_t events);
  // The kernel's result of a send of `offered` bytes. Returns how many were taken.
  size_t Sent(ssize_t result, size_t offered);
  size_t SendEncrypted(std::span<const iovec> ranges, size_t size);
  // Offers the kernel what TLS has made. Afterwards bytes can be sent, or the socket is blocked or
  // broken.
  void PushCipherText();
  // Tells the peer's TLS that nothing more comes, as far as the kernel takes that now.
  void SayEnd();
  void Block();
  void Break();
  // Drops the readable bytes. True: nothing more will come.
  bool Discard();

  Poller& poller_;
  Owner* owner_;
  std::unique_ptr<TlsSession> tls_;
  UniqueFd fd_;
  State state_ = State::kOpen;
  bool reading_ = true;
  bool blocked_ = false;  // the kernel takes nothing, or the handshake of TLS is under way
  bool in_set_ = false;   // the poller's
  uint8_t watched_ = 0;   // of EPOLLIN and EPOLLOUT
  uint32_t batched_ = 0;  // bytes that are in the batch
  TimePoint last_received_;
  TimePoint last_taken_;
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_SOCKET_H_
