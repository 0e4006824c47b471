// Tokens that anybody can read: "USER|ENDS_AT|PERMISSIONS", with the words of Permissions::Parse.
#ifndef CRIER_TESTS_SUPPORT_FAKE_AUTHENTICATOR_H_
#define CRIER_TESTS_SUPPORT_FAKE_AUTHENTICATOR_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/auth/authenticator.h"

namespace crier {

// Thread-safe.
class FakeAuthenticator final : public Authenticator {
 public:
  std::variant<Grant, TokenRefusal> Verify(std::string_view token, int64_t now) const override {
    asked_.fetch_add(1);
    const size_t first = token.find('|');
    const size_t second = first == token.npos ? token.npos : token.find('|', first + 1);
    if (second == token.npos) return TokenRefusal{.message = "this is no token"};
    const int64_t ends_at = std::stoll(std::string(token.substr(first + 1)));
    if (ends_at != 0 && now >= ends_at) {
      return TokenRefusal{.outcome = Outcome::kTokenExpired, .message = "the token has expired"};
    }
    return Grant{.user_id = std::string(token.substr(0, first)),
                 .permissions = std::make_shared<const Permissions>(
                     *Permissions::Parse(token.substr(second + 1))),
                 .ends_at = ends_at};
  }
  std::optional<Grant> Anonymous() const override { return anonymous; }

  std::optional<Grant> anonymous;
  int asked() const { return asked_.load(); }

 private:
  mutable std::atomic<int> asked_{0};
};

}  // namespace crier

#endif  // CRIER_TESTS_SUPPORT_FAKE_AUTHENTICATOR_H_
