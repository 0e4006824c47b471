// What a client speaks, by its first bytes: one port for gRPC and HTTP.
#ifndef CRIER_SERVER_ADMIN_SPOKEN_PROTOCOL_H_
#define CRIER_SERVER_ADMIN_SPOKEN_PROTOCOL_H_

#include <string_view>

namespace crier {

enum class SpokenProtocol {
  kNotYet,  // more bytes are needed
  kHttp1,
  kHttp2,
};

// Without TLS: HTTP/2 begins with its preface (RFC 9113, section 3.4), and everything else is left
// to HTTP/1 to refuse.
SpokenProtocol SpokenPlainly(std::string_view bytes);
// With TLS, by what the ClientHello offers (ALPN, RFC 7301): HTTP/2 where it offers h2 and not
// http/1.1. gRPC's clients do. Programs that offer both, as browsers and curl do, speak HTTP/1.1
// then.
SpokenProtocol SpokenInTls(std::string_view bytes);

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_SPOKEN_PROTOCOL_H_
