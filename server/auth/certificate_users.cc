#include "server/auth/certificate_users.h"

#include "server/base/utf8.h"

namespace crier {

std::variant<Grant, TokenRefusal> CertificateUsers::Verify(std::string_view, int64_t) const {
  return TokenRefusal{.message =
                          "this server knows its clients by their certificates, and has no "
                          "keys for tokens"};
}

std::optional<Grant> CertificateUsers::OfCertificate(std::string_view user) const {
  if (user.empty() || user.size() > Grant::kMaxUserBytes || FirstInvalidUtf8(user) != user.size()) {
    return std::nullopt;
  }
  return Grant{.user_id = std::string(user), .permissions = all_};
}

}  // namespace crier
