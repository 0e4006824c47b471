#include "server/transport/tls_context.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <string_view>
#include <utility>

#include "server/base/concat.h"

namespace crier {
namespace {

// RFC 7301's form: each name behind its length.
constexpr std::string_view kAlpnHttp1 = "\x08http/1.1";
constexpr std::string_view kAlpnHttp2 = "\x02h2";

constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// The first costs least; Mozilla has this order.
constexpr const char* kCiphers13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";
// Names the server's sessions where clients have certificates: without it none is resumed.
constexpr std::string_view kSessionContext = "crierd";

// The reason of OpenSSL's last error, for people.
std::string LastError() {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(error);
  std::string text = reason != nullptr ? reason : "no reason given";
  ERR_clear_error();
  return text;
}

absl::Status Wrong(std::string_view flag, const std::string& file, std::string_view what) {
  return absl::InvalidArgumentError(Concat({"--", flag, "=", file, ": ", what}));
}

int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* in, unsigned int in_size, void* ours) {
  const std::string_view& wanted = *static_cast<const std::string_view*>(ours);
  const int chosen = SSL_select_next_proto(const_cast<unsigned char**>(out), out_size,
                                           reinterpret_cast<const unsigned char*>(wanted.data()),
                                           static_cast<unsigned int>(wanted.size()), in, in_size);
  return chosen == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

constexpr std::string_view kAlpnOf[] = {kAlpnHttp1, kAlpnHttp2};

void Configure(SSL_CTX* context, const std::string_view* alpn) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_cipher_list(context, kCiphers12);
  SSL_CTX_set_ciphersuites(context, kCiphers13);
  SSL_CTX_set1_groups_list(context, kGroups);
  // By tickets alone, which the clients keep. One is enough: who reconnects does so once.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_session_id_context(context,
                                 reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                 static_cast<unsigned int>(kSessionContext.size()));
  SSL_CTX_set_alpn_select_cb(context, &ChooseProtocol, const_cast<std::string_view*>(alpn));
}

// A protected key would make OpenSSL ask at the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

absl::Status UseFiles(SSL_CTX* context, const TlsOptions& options) {
  SSL_CTX_set_default_passwd_cb(context, &NoPassword);
  if (SSL_CTX_use_certificate_chain_file(context, options.cert_file.c_str()) != 1) {
    return Wrong("tls_cert", options.cert_file,
                 Concat({"not a certificate in PEM (", LastError(), ")"}));
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    // OpenSSL compares the key with the certificate's here already.
    const bool other_key = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
    const std::string reason = LastError();
    return Wrong("tls_key", options.key_file,
                 other_key
                     ? "this is not the key of the certificate in --tls_cert"
                     : Concat({"not a private key in PEM without a password (", reason, ")"}));
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return Wrong("tls_key", options.key_file,
                 "this is not the key of the certificate in --tls_cert");
  }
  if (options.client_ca_file.empty()) return absl::OkStatus();
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.client_ca_file.c_str());
  if (names == nullptr ||
      SSL_CTX_load_verify_locations(context, options.client_ca_file.c_str(), nullptr) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return Wrong("tls_client_ca", options.client_ca_file,
                 Concat({"no certificates in PEM (", LastError(), ")"}));
  }
  SSL_CTX_set_client_CA_list(context, names);  // which takes them
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
}

int64_t SecondsOf(const ASN1_TIME* time) {
  tm parts{};
  return time != nullptr && ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

}  // namespace

void SslDeleter::operator()(SSL* ssl) const { SSL_free(ssl); }
void SslDeleter::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

void RefuseTls(int fd, RefusalKind) {
  // A record of TLS 1.2's form, as before a handshake in TLS 1.3 too: its kind, version and length,
  // and the alert (RFC 8446, sections 5.1 and 6).
  constexpr unsigned char kAlert[] = {SSL3_RT_ALERT,        0x03, 0x03, 0, 2, SSL3_AL_FATAL,
                                      SSL_AD_INTERNAL_ERROR};
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, kAlert, sizeof kAlert, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool TlsContext::FileState::operator==(const FileState& other) const {
  return inode == other.inode && size == other.size && modified.tv_sec == other.modified.tv_sec &&
         modified.tv_nsec == other.modified.tv_nsec;
}

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Load(TlsOptions options) {
  std::unique_ptr<TlsContext> context(new TlsContext(std::move(options)));
  if (const absl::Status status = context->Reload(); !status.ok()) return status;
  return context;
}

absl::StatusOr<TlsContext::Loaded> TlsContext::LoadFiles() const {
  Loaded loaded;
  for (size_t i = 0; i < kProtocols; ++i) {
    SslContextPtr context(SSL_CTX_new(TLS_server_method()));
    if (context == nullptr) return absl::ResourceExhaustedError(LastError());
    Configure(context.get(), &kAlpnOf[i]);
    if (const absl::Status status = UseFiles(context.get(), options_); !status.ok()) return status;
    loaded.not_after = SecondsOf(X509_get0_notAfter(SSL_CTX_get0_certificate(context.get())));
    loaded.contexts[i] = std::move(context);
  }
  return loaded;
}

absl::Status TlsContext::Reload() {
  // Before they are read: what is written in between is a change then.
  const FileStates seen = Look();
  absl::StatusOr<Loaded> loaded = LoadFiles();
  const MutexLock lock(&mutex_);
  seen_ = seen;
  if (!loaded.ok()) return loaded.status();
  loaded_ = *std::move(loaded);
  return absl::OkStatus();
}

bool TlsContext::FilesChanged() {
  const FileStates now = Look();
  const MutexLock lock(&mutex_);
  if (now == seen_) return false;
  seen_ = now;
  return true;
}

TlsContext::FileStates TlsContext::Look() const {
  FileStates states;
  size_t i = 0;
  for (const std::string* file :
       {&options_.cert_file, &options_.key_file, &options_.client_ca_file}) {
    struct stat now {};
    if (!file->empty() && ::stat(file->c_str(), &now) == 0) {
      states[i] = {.inode = now.st_ino, .size = now.st_size, .modified = now.st_mtim};
    }
    ++i;
  }
  return states;
}

SslPtr TlsContext::NewSession(TlsProtocol protocol) const {
  const MutexLock lock(&mutex_);
  SslPtr ssl(SSL_new(loaded_.contexts[static_cast<size_t>(protocol)].get()));
  if (ssl != nullptr) SSL_set_accept_state(ssl.get());
  return ssl;
}

int64_t TlsContext::not_after() const {
  const MutexLock lock(&mutex_);
  return loaded_.not_after;
}

}  // namespace crier
