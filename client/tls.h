// TLS on the client's side: whom to trust, who one is.
#ifndef CRIER_CLIENT_TLS_H_
#define CRIER_CLIENT_TLS_H_

#include <grpcpp/security/credentials.h>
#include <openssl/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace crier::client {

// Files in PEM.
struct TlsFiles {
  // The certificates that the server's has to lead to. Empty: those that the system trusts.
  std::string ca;
  // The client's own certificate and its key. Empty: it shows none.
  std::string certificate;
  std::string key;

  bool any() const { return !ca.empty() || !certificate.empty() || !key.empty(); }
};

struct SslFree {
  void operator()(SSL* ssl) const;
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

struct SslContextFree {
  void operator()(SSL_CTX* context) const;
};
using SslContextPtr = std::unique_ptr<SSL_CTX, SslContextFree>;

// What connections have in common. INVALID_ARGUMENT: a file is not what it should be; the message
// names it.
absl::StatusOr<SslContextPtr> NewTlsContext(const TlsFiles& files);
// The client's side of TLS with `host`, whose name its certificate has to have. Keeps the context.
SslPtr NewTls(SSL_CTX* context, const std::string& host);

// The same for gRPC. `tls` false: without TLS.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> GrpcCredentials(bool tls,
                                                                          const TlsFiles& files);

}  // namespace crier::client

#endif  // CRIER_CLIENT_TLS_H_
