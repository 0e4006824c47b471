// Clients are whom their certificates name, and may do everything but administer the server.
#ifndef CRIER_SERVER_AUTH_CERTIFICATE_USERS_H_
#define CRIER_SERVER_AUTH_CERTIFICATE_USERS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "server/auth/authenticator.h"

namespace crier {

// Thread-safe.
class CertificateUsers final : public Authenticator {
 public:
  std::variant<Grant, TokenRefusal> Verify(std::string_view token, int64_t now) const override;
  std::optional<Grant> Anonymous() const override { return std::nullopt; }
  std::optional<Grant> OfCertificate(std::string_view user) const override;

 private:
  const std::shared_ptr<const Permissions> all_ =
      std::make_shared<const Permissions>(Permissions::All());
};

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_CERTIFICATE_USERS_H_
