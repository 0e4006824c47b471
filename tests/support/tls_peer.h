// The client's side of TLS, without a socket: OpenSSL's own client with memory in between.
#ifndef CRIER_TESTS_SUPPORT_TLS_PEER_H_
#define CRIER_TESTS_SUPPORT_TLS_PEER_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/certificates.h"

namespace crier::testing {

class TlsPeer {
 public:
  struct Options {
    std::string trust{};               // PEM: whom to trust
    std::string alpn{};                // as RFC 7301 has it: "\x02h2"; empty: none
    const Certificate* own = nullptr;  // null: none
    int version = TLS1_3_VERSION;
    SSL_SESSION* resume = nullptr;
  };

  explicit TlsPeer(const Options& options);
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  // Goes on with the handshake. What it has to send is in TakeCipherText.
  void Handshake();
  void Write(std::string_view plain);
  // Changes its keys, and says so.
  void UpdateKeys();
  // Says that nothing more comes (close_notify).
  void End();
  std::string TakeCipherText();
  // What came from the server.
  void Receive(std::string_view cipher);

  // The plain text that has come.
  const std::string& plain() const { return plain_; }
  bool established() const { return SSL_is_init_finished(ssl_) != 0; }
  // The server has said that nothing more comes.
  bool ended() const { return ended_; }
  // What went wrong; empty: nothing.
  const std::string& problem() const { return problem_; }
  bool resumed() const { return SSL_session_reused(ssl_) != 0; }
  // A copy, because that of a connection that just goes cannot be resumed. The caller frees it.
  SSL_SESSION* session() const { return SSL_SESSION_dup(SSL_get0_session(ssl_)); }

 private:
  void Note(int result);

  SSL_CTX* const context_;
  SSL* const ssl_;
  std::string plain_;
  std::string problem_;
  bool ended_ = false;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_TLS_PEER_H_
