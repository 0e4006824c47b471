// Base64 as tokens and JWKs have it (RFC 7515, section 2): the alphabet for URLs, no padding.
#ifndef CRIER_SERVER_AUTH_BASE64URL_H_
#define CRIER_SERVER_AUTH_BASE64URL_H_

#include <optional>
#include <string>
#include <string_view>

namespace crier {

// nullopt where `text` is not what encoding anything gives: another byte (padding, white space), a
// length that cannot be, bits left over that are not zero. So bytes have one form. Thread-safe.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_BASE64URL_H_
