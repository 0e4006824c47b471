#include "tests/support/tls_peer.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace crier::testing {
namespace {

X509* ParsedCertificate(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* parsed = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return parsed;
}

EVP_PKEY* ParsedKey(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* parsed = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return parsed;
}

}  // namespace

TlsPeer::TlsPeer(const Options& options)
    : context_(SSL_CTX_new(TLS_client_method())), ssl_([&] {
        SSL_CTX_set_min_proto_version(context_, options.version);
        SSL_CTX_set_max_proto_version(context_, options.version);
        SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
        X509* trusted = ParsedCertificate(options.trust);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), trusted);
        X509_free(trusted);
        if (options.own != nullptr) {
          X509* own = ParsedCertificate(options.own->certificate);
          EVP_PKEY* key = ParsedKey(options.own->key);
          SSL_CTX_use_certificate(context_, own);
          SSL_CTX_use_PrivateKey(context_, key);
          X509_free(own);
          EVP_PKEY_free(key);
        }
        return SSL_new(context_);
      }()) {
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (!options.alpn.empty()) {
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(options.alpn.data()),
                        static_cast<unsigned int>(options.alpn.size()));
  }
  if (options.resume != nullptr) SSL_set_session(ssl_, options.resume);
  SSL_set_connect_state(ssl_);
}

TlsPeer::~TlsPeer() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

void TlsPeer::Note(int result) {
  if (result > 0) return;
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_ZERO_RETURN) ended_ = true;
  if (error == SSL_ERROR_SSL) {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    problem_ = reason == nullptr ? "an error" : reason;
  }
  ERR_clear_error();
}

void TlsPeer::Handshake() { Note(SSL_do_handshake(ssl_)); }

void TlsPeer::Write(std::string_view plain) {
  Note(SSL_write(ssl_, plain.data(), static_cast<int>(plain.size())));
}

void TlsPeer::UpdateKeys() {
  SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED);
  Handshake();
}

void TlsPeer::End() { SSL_shutdown(ssl_); }

std::string TlsPeer::TakeCipherText() {
  BIO* bio = SSL_get_wbio(ssl_);
  std::string cipher(BIO_ctrl_pending(bio), '\0');
  if (!cipher.empty()) BIO_read(bio, cipher.data(), static_cast<int>(cipher.size()));
  return cipher;
}

void TlsPeer::Receive(std::string_view cipher) {
  BIO* bio = SSL_get_rbio(ssl_);
  if (!cipher.empty()) BIO_write(bio, cipher.data(), static_cast<int>(cipher.size()));
  if (!established()) Handshake();
  char bytes[16 << 10];
  while (established()) {
    const int count = SSL_read(ssl_, bytes, sizeof bytes);
    Note(count);
    if (count <= 0) return;
    plain_.append(bytes, static_cast<size_t>(count));
  }
}

}  // namespace crier::testing
