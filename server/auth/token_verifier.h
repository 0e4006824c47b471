// Verifies JSON Web Tokens (RFC 7519), and reads what they grant.
#ifndef CRIER_SERVER_AUTH_TOKEN_VERIFIER_H_
#define CRIER_SERVER_AUTH_TOKEN_VERIFIER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "server/auth/authenticator.h"
#include "server/auth/permissions.h"
#include "server/auth/verifying_key.h"
#include "server/base/mutex.h"

namespace crier {

// What is asked of tokens (docs/auth.md).
struct TokenRules {
  // Empty: any issuer.
  std::string issuer = {};
  // Empty: a token with an audience is refused, as RFC 7519, section 4.1.3, has it.
  std::string audience = {};
  // How far clocks may differ, in seconds.
  int64_t leeway = 30;
  // Of tokens without any claim of crier's.
  Permissions without_claims = {};
  // Of clients without a token; nullopt: they need one.
  std::optional<Permissions> anonymous = {};
};

// Thread-safe.
class TokenVerifier final : public Authenticator {
 public:
  // How many keys are tried with one token, in the order of SetKeys: who forges tokens makes the
  // server verify so many signatures for each, some 30 us apiece for ES256.
  static constexpr size_t kMostTries = 4;

  explicit TokenVerifier(TokenRules rules);

  // The status says that a token which names its key could be one of more than kMostTries, so that
  // some would never be tried. A token that names none may be.
  static absl::Status CheckTries(const std::vector<VerifyingKey>& keys);

  // From now on. Without keys every token is refused.
  void SetKeys(std::vector<VerifyingKey> keys);

  std::variant<Grant, TokenRefusal> Verify(std::string_view token, int64_t now) const override;
  std::optional<Grant> Anonymous() const override;

 private:
  using Keys = std::shared_ptr<const std::vector<VerifyingKey>>;

  Keys keys() const;

  const std::string issuer_;
  const std::string audience_;
  const int64_t leeway_;
  const std::shared_ptr<const Permissions> without_claims_;
  const std::shared_ptr<const Permissions> anonymous_;  // null: not allowed
  mutable Mutex mutex_;
  Keys keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_TOKEN_VERIFIER_H_
