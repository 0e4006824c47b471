// A key that tokens are verified with, and the algorithms that it may be used for.
#ifndef CRIER_SERVER_AUTH_VERIFYING_KEY_H_
#define CRIER_SERVER_AUTH_VERIFYING_KEY_H_

#include <openssl/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace crier {

// RFC 7518, section 3.1, and RFC 8037. "none" is not among them.
enum class Algorithm : uint8_t { kHs256, kHs384, kHs512, kRs256, kEs256, kEdDsa };
inline constexpr size_t kAlgorithmCount = static_cast<size_t>(Algorithm::kEdDsa) + 1;

// As tokens name them; nullopt: not one of these.
std::optional<Algorithm> AlgorithmOf(std::string_view name);
std::string_view NameOf(Algorithm algorithm);

using PublicKey = std::shared_ptr<EVP_PKEY>;

// Thread-safe.
class VerifyingKey {
 public:
  // A key's kind says which algorithms it fits, never the token: a public key is no secret.
  //   a secret   HS256 from 32 bytes, HS384 from 48, HS512 from 64 (RFC 7518, section 3.2)
  //   RSA        RS256, from 2,048 bits
  //   P-256      ES256
  //   Ed25519    EdDSA
  // The status says what is wrong with the key. `kid`: its name; empty: none.
  static absl::StatusOr<VerifyingKey> OfSecret(std::string secret, std::string kid = {});
  static absl::StatusOr<VerifyingKey> OfPublicKey(PublicKey key, std::string kid = {});

  // From now on it fits only this one. The status says that it does not, or is too short.
  absl::Status Limit(Algorithm algorithm);

  const std::string& kid() const { return kid_; }
  bool Fits(Algorithm algorithm) const;
  // REQUIRES: Fits(algorithm).
  bool Verify(Algorithm algorithm, std::string_view text, std::string_view signature) const;

 private:
  VerifyingKey() = default;

  std::string kid_;
  std::string secret_;  // empty: a public key
  PublicKey public_key_;
  uint32_t fits_ = 0;  // a bit for each algorithm
};

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_VERIFYING_KEY_H_
