// The TLS of one socket: cipher text in, plain text out, and the other way round. It makes no
// system call. OpenSSL does the cryptography; what it reads and writes are the buffers given here,
// so that a batch of sends takes what it has encrypted as it takes anything else.
//
//   kHandshake -----> kOpen -----> kEnded     the peer sends nothing more
//        |              |
//        '-------.------'
//                v
//             kFailed      what came is not TLS as agreed; an alert may wait to be sent
#ifndef CRIER_SERVER_TRANSPORT_TLS_SESSION_H_
#define CRIER_SERVER_TRANSPORT_TLS_SESSION_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/base/log_limit.h"
#include "server/engine/memory_budget.h"
#include "server/metrics/metrics.h"
#include "server/transport/buffer_pool.h"
#include "server/transport/tls_context.h"

namespace crier {

// What the sessions of one shard and transport share. Runs on: shard thread, except the
// constructor.
class TlsShared {
 public:
  // Both outlive this object.
  TlsShared(MemoryMeter* memory, ShardMetrics* metrics) : memory_(*memory), metrics_(*metrics) {}

 private:
  friend class TlsSession;
  friend struct TlsBio;
  MemoryMeter& memory_;
  ShardMetrics& metrics_;
  BufferPool buffers_;
  std::unique_ptr<char[]> plain_;  // what Receive has decrypted
  std::string record_;             // ranges that become one record
  LogLimit failures_;              // of the log's lines about them
};

// Runs on: shard thread, all of it.
class TlsSession {
 public:
  enum class State : uint8_t { kHandshake, kOpen, kEnded, kFailed };

  // `shared` outlives the session.
  TlsSession(SslPtr ssl, TlsShared* shared);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Takes all of `received`, at most kMostReceived bytes of it. Returns the plain text that is
  // whole by now, in the shard's buffer, where it stays until the next call of any session's
  // Receive. There may be answers to send afterwards, of the handshake for example.
  std::span<char> Receive(std::string_view received);
  static constexpr size_t kMostReceived = 16 << 10;

  // Encrypts the bytes, several ranges in a record, behind what waits to be sent. False: OpenSSL
  // has no memory, and the session has failed. REQUIRES: established().
  bool Encrypt(std::span<const iovec> ranges);
  // Says that nothing more comes (close_notify).
  void End();

  // What waits to be sent. The socket takes it off the front.
  std::string_view unsent() const { return std::string_view(out_).substr(out_at_); }
  void Sent(size_t bytes);

  // What a client may have waiting here that it does not read: more than any flush sends. Beyond
  // it, Receive fails the session, because its own messages cause answers too.
  static constexpr size_t kMostUnsent = 256 << 10;
  // How often it may change its keys without sending anything with them (RFC 8446, section 4.6.3,
  // names no limit; BoringSSL has this one): each change costs as much as many messages.
  static constexpr int kMostKeyUpdates = 32;

  State state() const { return state_; }
  bool established() const { return state_ == State::kOpen || state_ == State::kEnded; }

  // The session has failed: counts it, and logs what with, at most one in a second. `fd`: of the
  // peer.
  void NoteFailure(int fd, TimePoint now) const;
  // The user that the client's certificate names. Empty: it has none that says so.
  std::string PeerUser(TlsUserFrom from) const;

 private:
  friend struct TlsBio;

  // What it keeps while it is idle, and what a record or a handshake takes besides, by OpenSSL 3.0
  // (docs/decisions/0016-tls.md has the measurement).
  static constexpr size_t kIdleBytes = 14 << 10;
  static constexpr size_t kRecordBytes = 17 << 10;

  static void OnMessage(int write, int version, int type, const void* bytes, size_t size, SSL* ssl,
                        void* session);
  void OnHandshake();
  // Of OpenSSL's last error; or for this reason, which is a flood's.
  void Fail();
  void FailFor(std::string_view problem);
  void CountMemory();

  TlsShared& shared_;
  SslPtr ssl_;
  State state_ = State::kHandshake;
  TlsFault fault_ = TlsFault::kOther;
  int key_updates_ = 0;  // since the last bytes of the client's
  std::string_view in_;  // while Receive runs
  std::string out_;
  size_t out_at_ = 0;
  std::string problem_;  // what failed, for people
  MemoryShare memory_;
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_TLS_SESSION_H_
