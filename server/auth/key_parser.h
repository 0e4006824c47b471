// Reads keys from what files hold: PEM, a secret, a JWKS.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_AUTH_KEY_PARSER_H_
#define CRIER_SERVER_AUTH_KEY_PARSER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/auth/verifying_key.h"

namespace crier {

// Of one file, and of all. A token is tried with fewer (TokenVerifier::kMostTries).
inline constexpr size_t kMaxKeys = 32;

// A file of --auth_keys: PEM, with any number of public keys and certificates; or a secret, which
// is all of it but one line's end behind it. What has a PEM block is never a secret. The status
// says what is wrong, and nothing of a key.
absl::StatusOr<std::vector<VerifyingKey>> ParseKeyFile(std::string_view content);

// A JWKS (RFC 7517, section 5). Keys for other uses or of other kinds are passed over, and named in
// *passed_over, where that is not null. One that claims to be of a kind that is taken and is not
// sound is an error, and so is a set without a key of use.
absl::StatusOr<std::vector<VerifyingKey>> ParseJwks(std::string_view content,
                                                    std::vector<std::string>* passed_over);

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_KEY_PARSER_H_
