// Keys and tokens for tests.
#ifndef CRIER_TESTS_SUPPORT_TOKENS_H_
#define CRIER_TESTS_SUPPORT_TOKENS_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace crier::testing {

// PEM, made when first asked for and the same from then on.
struct TestKeyPair {
  std::string private_pem;
  std::string public_pem;
};
const TestKeyPair& RsaPair();
const TestKeyPair& P256Pair();
const TestKeyPair& Ed25519Pair();

// 64 bytes, enough for each of the HS algorithms.
inline constexpr std::string_view kTestSecret =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
inline constexpr std::string_view kOtherSecret =
    "another secret, which is 64 bytes long too, but not the same one";

// A token of these claims, JSON. Fails the test where it cannot be made.
std::string SignedToken(const std::string& claims, std::string_view algorithm = "HS256",
                        std::string_view key = kTestSecret, std::string_view kid = {});

// Of this user, valid for so many seconds from the machine's time on, with these further claims:
// `"crier.direct":true`.
std::string TokenFor(std::string_view user, std::string_view claims = {}, int64_t seconds = 3600);

std::string HmacSha256(std::string_view key, std::string_view text);

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_TOKENS_H_
