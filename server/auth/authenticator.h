// Who a client is and what it may do, as the layers above learn it.
#ifndef CRIER_SERVER_AUTH_AUTHENTICATOR_H_
#define CRIER_SERVER_AUTH_AUTHENTICATOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/auth/permissions.h"
#include "server/base/outcome.h"
#include "server/base/token_fault.h"

namespace crier {

// Of a token: more than any header of a request has room for (http_connection.cc).
inline constexpr size_t kMaxTokenBytes = 8 << 10;

// What a token grants, or what a client without one may do.
struct Grant {
  // UTF-8, at most 255 bytes. Empty: a client without a token.
  std::string user_id = {};
  // Never null.
  std::shared_ptr<const Permissions> permissions = {};
  // Seconds since 1970, the leeway included. 0: it does not end.
  int64_t ends_at = 0;

  static constexpr size_t kMaxUserBytes = 255;
};

// Why a token is refused.
struct TokenRefusal {
  Outcome outcome = Outcome::kUnauthenticated;  // or kTokenExpired
  // For whoever sent it: what is wrong, nothing of what would be right, and nothing of the token.
  std::string message = {};
  TokenFault fault = TokenFault::kMalformed;
};

// Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // `now`: seconds since 1970.
  virtual std::variant<Grant, TokenRefusal> Verify(std::string_view token, int64_t now) const = 0;
  // Of a client without a token; nullopt: it needs one.
  virtual std::optional<Grant> Anonymous() const = 0;
  // Of a client without a token whose certificate names this user (TLS); nullopt: that says nothing
  // here.
  virtual std::optional<Grant> OfCertificate(std::string_view /*user*/) const {
    return std::nullopt;
  }
};

// The token of an Authorization field with the scheme Bearer (RFC 6750, section 2.1); empty: it is
// of another scheme, or has none. Thread-safe.
std::string_view BearerTokenOf(std::string_view authorization);

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_AUTHENTICATOR_H_
