// The claims of a token, once its signature was verified.
#ifndef CRIER_SERVER_AUTH_TOKEN_CLAIMS_H_
#define CRIER_SERVER_AUTH_TOKEN_CLAIMS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/auth/permissions.h"

namespace crier {

struct TokenClaims {
  std::string subject;  // not empty, UTF-8, at most Grant::kMaxUserBytes
  std::string issuer;   // empty: none
  std::vector<std::string> audience;
  int64_t expires_at = 0;  // seconds since 1970
  std::optional<int64_t> not_before;
  std::optional<Permissions> permissions;  // nullopt: none of crier's claims
};

// Of a token's payload, JSON; or what is wrong with it. Thread-safe.
std::variant<TokenClaims, std::string> ReadTokenClaims(std::string_view payload);

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_TOKEN_CLAIMS_H_
