// Why a client was not taken for whom it said it was.
#ifndef CRIER_SERVER_BASE_TOKEN_FAULT_H_
#define CRIER_SERVER_BASE_TOKEN_FAULT_H_

#include <cstddef>
#include <cstdint>

namespace crier {

// What was wrong with a token; the label of crier_authentications_refused_total.
enum class TokenFault : uint8_t {
  kMissing,    // none came, or not in time
  kMalformed,  // it is no token, or has a critical extension
  kAlgorithm,  // of another algorithm than those that are accepted
  kSignature,  // no accepted key has made it
  kClaims,     // a claim is missing, or of the wrong type
  kExpired,
  kNotYetValid,
  kIssuer,
  kAudience,
  kOtherUser,  // the session has another user already
  kTooMany,    // several in one request, or too many in a second
};
inline constexpr size_t kTokenFaultCount = static_cast<size_t>(TokenFault::kTooMany) + 1;

}  // namespace crier

#endif  // CRIER_SERVER_BASE_TOKEN_FAULT_H_
