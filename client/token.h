// Makes JSON Web Tokens (RFC 7519), for tests and for trying things out, and takes them apart.
//
// Pure functions: thread-safe.
#ifndef CRIER_CLIENT_TOKEN_H_
#define CRIER_CLIENT_TOKEN_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace crier::client {

struct TokenParts {
  std::string header;  // JSON
  std::string claims;  // JSON
};

// Bytes in base64 as tokens have it (RFC 7515, section 2).
std::string EncodeBase64Url(std::string_view bytes);

// A token of these claims, a JSON object. `algorithm`: HS256, HS384, HS512, RS256, ES256 or EdDSA.
// `key`: what the key's file holds: a private key in PEM, or for the HS algorithms a secret,
// without one line's end behind it. `kid`: the key's name; empty: none.
absl::StatusOr<std::string> SignToken(std::string_view claims, std::string_view algorithm,
                                      std::string_view key, std::string_view kid = {});

// The signature is not looked at.
absl::StatusOr<TokenParts> TakeTokenApart(std::string_view token);

}  // namespace crier::client

#endif  // CRIER_CLIENT_TOKEN_H_
