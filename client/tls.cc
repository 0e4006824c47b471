#include "client/tls.h"

#include <arpa/inet.h>
#include <grpcpp/security/credentials.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <sstream>
#include <string_view>
#include <tuple>
#include <utility>

#include "client/text.h"

namespace crier::client {
namespace {

absl::Status WrongFile(std::string_view option, const std::string& file, std::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(Concat("--", option, "=", file, ": ", what));
}

bool IsAddress(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

absl::StatusOr<std::string> Content(std::string_view option, const std::string& file) {
  if (file.empty()) return std::string();
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  if (!stream) return WrongFile(option, file, "cannot be read");
  return std::move(content).str();
}

}  // namespace

void SslFree::operator()(SSL* ssl) const { SSL_free(ssl); }
void SslContextFree::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

absl::StatusOr<SslContextPtr> NewTlsContext(const TlsFiles& files) {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (files.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), files.ca.c_str(), nullptr) != 1) {
    return WrongFile("cacert", files.ca, "no certificates in PEM");
  }
  if (!files.certificate.empty() &&
      SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return WrongFile("cert", files.certificate, "not a certificate in PEM");
  }
  if (!files.key.empty() &&
      SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return WrongFile("key", files.key, "not the certificate's key in PEM");
  }
  return context;
}

SslPtr NewTls(SSL_CTX* context, const std::string& host) {
  SslPtr ssl(SSL_new(context));
  if (IsAddress(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl.get(), host.c_str());
    SSL_set1_host(ssl.get(), host.c_str());
  }
  SSL_set_connect_state(ssl.get());
  return ssl;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> GrpcCredentials(bool tls,
                                                                          const TlsFiles& files) {
  if (!tls && !files.any()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  for (const auto& [option, file, content] :
       {std::tuple("cacert", &files.ca, &options.pem_root_certs),
        std::tuple("cert", &files.certificate, &options.pem_cert_chain),
        std::tuple("key", &files.key, &options.pem_private_key)}) {
    absl::StatusOr<std::string> read = Content(option, *file);
    if (!read.ok()) return read.status();
    *content = *std::move(read);
  }
  return grpc::SslCredentials(options);
}

}  // namespace crier::client
