#include "server/transport/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "server/net/listen_address.h"

namespace crier {
namespace {

// The most plain text of one record (RFC 8446, section 5.1).
constexpr size_t kMostRecord = SSL3_RT_MAX_PLAIN_LENGTH;
// A record that was whole but for a byte, and all that came.
constexpr size_t kMostPlain = kMostRecord + TlsSession::kMostReceived;

std::string TextOf(const ASN1_STRING* string) {
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, string);
  if (size < 0) return {};
  std::string copy(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return copy;
}

std::string CommonNameOf(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  return TextOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::string AltNameOf(const X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string found;
  for (const int type : {GEN_URI, GEN_EMAIL, GEN_DNS}) {
    for (int i = 0; found.empty() && i < sk_GENERAL_NAME_num(names); ++i) {
      int its_type = 0;
      const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &its_type);
      if (its_type == type) found = TextOf(static_cast<const ASN1_STRING*>(value));
    }
  }
  GENERAL_NAMES_free(names);
  return found;
}

// Of an error of OpenSSL's (its sslerr.h).
TlsFault FaultOf(unsigned long error) {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return TlsFault::kOther;
  const int reason = ERR_GET_REASON(error);
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNEXPECTED_MESSAGE:
      return TlsFault::kNotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_NO_APPLICATION_PROTOCOL:  // of what TLS carries (ALPN)
      return TlsFault::kVersion;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
      return TlsFault::kCipher;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return TlsFault::kCertificate;
    default:
      // Alerts that the client has sent begin there.
      return reason >= SSL_AD_REASON_OFFSET ? TlsFault::kRefused : TlsFault::kOther;
  }
}

}  // namespace

// What OpenSSL calls to read and write. Both ends are the session's own buffers.
struct TlsBio {
  static TlsSession& Of(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int Read(BIO* bio, char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    std::string_view& in = Of(bio).in_;
    if (in.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const size_t count = std::min(in.size(), static_cast<size_t>(size));
    std::memcpy(bytes, in.data(), count);
    in.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int Write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    TlsSession& session = Of(bio);
    if (session.out_.capacity() == 0) session.out_ = session.shared_.buffers_.Take();
    try {
      session.out_.append(bytes, static_cast<size_t>(size));
    } catch (const std::bad_alloc&) {
      return -1;  // OpenSSL is in between, and knows no exceptions
    }
    return size;
  }

  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* Method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "crier");
      BIO_meth_set_read(made, &Read);
      BIO_meth_set_write(made, &Write);
      BIO_meth_set_ctrl(made, &Control);
      return made;
    }();
    return method;
  }
};

TlsSession::TlsSession(SslPtr ssl, TlsShared* shared)
    : shared_(*shared), ssl_(std::move(ssl)), memory_(&shared->memory_, MemoryKind::kTls) {
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(TlsBio::Method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_msg_callback(ssl_.get(), &TlsSession::OnMessage);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  CountMemory();
}

TlsSession::~TlsSession() {
  // Nothing may come from OpenSSL any more: it would write to what is gone.
  ssl_.reset();
}

void TlsSession::CountMemory() {
  const bool busy = state_ == State::kHandshake || SSL_has_pending(ssl_.get()) != 0;
  memory_.Set(kIdleBytes + (busy ? kRecordBytes : 0) + out_.capacity());
}

std::span<char> TlsSession::Receive(std::string_view received) {
  // Runs on: shard thread
  assert(received.size() <= kMostReceived);
  if (shared_.plain_ == nullptr) shared_.plain_ = std::make_unique<char[]>(kMostPlain);
  if (state_ == State::kEnded || state_ == State::kFailed) return {};
  in_ = received;
  size_t size = 0;
  while (true) {
    ERR_clear_error();
    size_t count = 0;
    const int result =
        SSL_read_ex(ssl_.get(), shared_.plain_.get() + size, kMostPlain - size, &count);
    if (state_ == State::kHandshake && SSL_is_init_finished(ssl_.get()) != 0) OnHandshake();
    size += count;
    if (result == 1) {
      key_updates_ = 0;
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) break;
    if (error == SSL_ERROR_ZERO_RETURN) {
      state_ = State::kEnded;
    } else {
      Fail();
    }
    break;
  }
  in_ = {};
  if (key_updates_ > kMostKeyUpdates) FailFor("it changes its keys and sends nothing with them");
  if (unsent().size() > kMostUnsent) FailFor("it does not read what it makes the server send");
  CountMemory();
  return {shared_.plain_.get(), size};
}

void TlsSession::OnMessage(int write, int, int type, const void* bytes, size_t size, SSL*,
                           void* session) {
  if (write != 0 || type != SSL3_RT_HANDSHAKE || size == 0) return;
  if (*static_cast<const unsigned char*>(bytes) != SSL3_MT_KEY_UPDATE) return;
  TlsSession& self = *static_cast<TlsSession*>(session);
  // OpenSSL would go on until nothing is left.
  if (++self.key_updates_ > kMostKeyUpdates) self.in_ = {};
}

void TlsSession::OnHandshake() {
  state_ = State::kOpen;
  const bool resumed = SSL_session_reused(ssl_.get()) != 0;
  shared_.metrics_
      .tls_handshakes[static_cast<size_t>(resumed ? TlsHandshake::kResumed : TlsHandshake::kFull)]
      .Add();
}

bool TlsSession::Encrypt(std::span<const iovec> ranges) {
  // Runs on: shard thread
  assert(established());
  const auto write = [this](const char* bytes, size_t size) {
    size_t written = 0;
    ERR_clear_error();
    // The buffers take everything, so nothing is written in part.
    if (SSL_write_ex(ssl_.get(), bytes, size, &written) == 1) return true;
    Fail();
    return false;
  };
  if (ranges.size() == 1) {
    return write(static_cast<const char*>(ranges[0].iov_base), ranges[0].iov_len);
  }
  std::string& record = shared_.record_;
  record.clear();
  for (const iovec& range : ranges) {
    std::string_view rest(static_cast<const char*>(range.iov_base), range.iov_len);
    while (!rest.empty()) {
      const std::string_view part = rest.substr(0, kMostRecord - record.size());
      record.append(part);
      rest.remove_prefix(part.size());
      if (record.size() < kMostRecord) continue;
      if (!write(record.data(), record.size())) return false;
      record.clear();
    }
  }
  return record.empty() || write(record.data(), record.size());
}

void TlsSession::End() {
  if (!established()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void TlsSession::Sent(size_t bytes) {
  out_at_ += bytes;
  if (out_at_ == out_.size()) {
    shared_.buffers_.GiveBack(std::exchange(out_, std::string()));
    out_at_ = 0;
  }
  CountMemory();
}

void TlsSession::Fail() {
  state_ = State::kFailed;
  const unsigned long error = ERR_peek_error();
  fault_ = FaultOf(error);
  const char* reason = ERR_reason_error_string(error);
  problem_ = reason != nullptr ? reason : "no reason given";
  if (ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST) {
    problem_ = "it speaks HTTP without TLS";
    out_.append(
        "HTTP/1.1 400 Bad Request\r\n"
        "Content-Type: text/plain\r\n"
        "Connection: close\r\n"
        "\r\n"
        "This port speaks TLS: the address begins with https:// or wss://.\n");
  }
  ERR_clear_error();
}

void TlsSession::FailFor(std::string_view problem) {
  if (state_ == State::kFailed) return;
  state_ = State::kFailed;
  fault_ = TlsFault::kFlood;
  problem_ = problem;
}

void TlsSession::NoteFailure(int fd, TimePoint now) const {
  shared_.metrics_.tls_handshakes[static_cast<size_t>(TlsHandshake::kFailed)].Add();
  shared_.metrics_.tls_failures[static_cast<size_t>(fault_)].Add();
  const auto left_out = shared_.failures_.Admit(now);
  if (!left_out.has_value()) return;
  spdlog::warn("TLS with {}: {}{}", PeerHostOf(fd), problem_,
               *left_out == 0 ? "" : " (" + std::to_string(*left_out) + " more like it)");
}

std::string TlsSession::PeerUser(TlsUserFrom from) const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr || from == TlsUserFrom::kNone) return {};
  return from == TlsUserFrom::kCommonName ? CommonNameOf(certificate) : AltNameOf(certificate);
}

}  // namespace crier
