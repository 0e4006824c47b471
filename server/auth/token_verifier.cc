#include "server/auth/token_verifier.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/auth/base64url.h"
#include "server/auth/token_claims.h"

namespace crier {
namespace {

namespace json = boost::json;

// A token's three parts, decoded but for what its signature is of (RFC 7515, section 3.1).
struct Parts {
  std::string header;
  std::string payload;
  std::string signature;
  std::string_view signed_text;
};

struct Header {
  Algorithm algorithm;
  std::string kid;  // empty: none
};

TokenRefusal Refused(TokenFault fault, std::string text) {
  return {.outcome = Outcome::kUnauthenticated, .message = std::move(text), .fault = fault};
}

std::optional<Parts> Split(std::string_view token) {
  const size_t first = token.find('.');
  const size_t second = first == token.npos ? token.npos : token.find('.', first + 1);
  if (second == token.npos) return std::nullopt;
  auto header = DecodeBase64Url(token.substr(0, first));
  auto payload = DecodeBase64Url(token.substr(first + 1, second - first - 1));
  auto signature = DecodeBase64Url(token.substr(second + 1));
  if (!header || !payload || !signature) return std::nullopt;
  return Parts{.header = std::move(*header),
               .payload = std::move(*payload),
               .signature = std::move(*signature),
               .signed_text = token.substr(0, second)};
}

std::variant<Header, TokenRefusal> ReadHeader(std::string_view text) {
  json::error_code error;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !parsed.is_object())
    return Refused(TokenFault::kMalformed, "this is no JSON Web Token");
  const json::object& header = parsed.get_object();
  // What is critical has to be understood, and nothing of that kind is (RFC 7515, section 4.1.11).
  if (header.contains("crit")) {
    return Refused(TokenFault::kMalformed, "the token has a critical extension");
  }
  const json::value* name = header.if_contains("alg");
  std::optional<Algorithm> algorithm;
  if (name != nullptr && name->is_string()) {
    algorithm = AlgorithmOf({name->get_string().data(), name->get_string().size()});
  }
  if (!algorithm) return Refused(TokenFault::kAlgorithm, "the token's algorithm is not accepted");
  Header read{.algorithm = *algorithm, .kid = {}};
  if (const json::value* kid = header.if_contains("kid"); kid != nullptr && kid->is_string()) {
    read.kid.assign(kid->get_string().data(), kid->get_string().size());
  }
  return read;
}

// A key without a name is tried with every token, and a token without one with every key, as far as
// kMostTries allows.
bool IsSigned(const std::vector<VerifyingKey>& keys, const Header& header, const Parts& parts) {
  size_t tries = 0;
  for (const VerifyingKey& key : keys) {
    const bool named = !key.kid().empty() && !header.kid.empty();
    if ((named && key.kid() != header.kid) || !key.Fits(header.algorithm)) continue;
    if (++tries > TokenVerifier::kMostTries) return false;
    if (key.Verify(header.algorithm, parts.signed_text, parts.signature)) return true;
  }
  return false;
}

std::shared_ptr<const Permissions> Shared(Permissions permissions) {
  return std::make_shared<const Permissions>(std::move(permissions));
}

}  // namespace

TokenVerifier::TokenVerifier(TokenRules rules)
    : issuer_(std::move(rules.issuer)),
      audience_(std::move(rules.audience)),
      leeway_(rules.leeway),
      without_claims_(Shared(std::move(rules.without_claims))),
      anonymous_(rules.anonymous ? Shared(std::move(*rules.anonymous)) : nullptr),
      keys_(std::make_shared<const std::vector<VerifyingKey>>()) {}

absl::Status TokenVerifier::CheckTries(const std::vector<VerifyingKey>& keys) {
  for (size_t i = 0; i < kAlgorithmCount; ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    std::map<std::string_view, size_t> of_kid;
    for (const VerifyingKey& key : keys) of_kid[key.kid()] += key.Fits(algorithm) ? 1 : 0;
    const size_t nameless = of_kid[""];
    for (const auto& [kid, count] : of_kid) {
      const size_t tried = kid.empty() ? count : count + nameless;
      if (tried <= kMostTries) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          tried, " keys for ", std::string(NameOf(algorithm)),
          kid.empty() ? " have no name (kid)" : " have one name (kid) or none", "; at most ",
          kMostTries, " are tried with a token, so give each its own name, in --auth_jwks"));
    }
  }
  return absl::OkStatus();
}

void TokenVerifier::SetKeys(std::vector<VerifyingKey> keys) {
  auto fresh = std::make_shared<const std::vector<VerifyingKey>>(std::move(keys));
  const MutexLock lock(&mutex_);
  keys_.swap(fresh);
}

TokenVerifier::Keys TokenVerifier::keys() const {
  const MutexLock lock(&mutex_);
  return keys_;
}

std::optional<Grant> TokenVerifier::Anonymous() const {
  if (anonymous_ == nullptr) return std::nullopt;
  return Grant{.user_id = {}, .permissions = anonymous_, .ends_at = 0};
}

std::variant<Grant, TokenRefusal> TokenVerifier::Verify(std::string_view token, int64_t now) const {
  if (token.size() > kMaxTokenBytes) {
    return Refused(TokenFault::kMalformed, "the token has more than 8 KiB");
  }
  std::optional<Parts> parts = Split(token);
  if (!parts) return Refused(TokenFault::kMalformed, "this is no JSON Web Token");
  auto header = ReadHeader(parts->header);
  if (auto* refusal = std::get_if<TokenRefusal>(&header)) return std::move(*refusal);
  // One text for no key and for a wrong signature: which keys there are is nobody's business.
  if (!IsSigned(*keys(), std::get<Header>(header), *parts)) {
    return Refused(TokenFault::kSignature,
                   "the token is not signed by a key that is accepted here");
  }
  auto read = ReadTokenClaims(parts->payload);
  if (auto* wrong = std::get_if<std::string>(&read)) {
    return Refused(TokenFault::kClaims, std::move(*wrong));
  }
  TokenClaims& claims = std::get<TokenClaims>(read);
  if (now >= claims.expires_at + leeway_) {
    return TokenRefusal{.outcome = Outcome::kTokenExpired,
                        .message = "the token has expired",
                        .fault = TokenFault::kExpired};
  }
  if (claims.not_before && now < *claims.not_before - leeway_) {
    return Refused(TokenFault::kNotYetValid, "the token is not valid yet");
  }
  if (!issuer_.empty() && claims.issuer != issuer_) {
    return Refused(TokenFault::kIssuer, "the token is from another issuer");
  }
  const auto& audience = claims.audience;
  if (audience_.empty()
          ? !audience.empty()
          : std::find(audience.begin(), audience.end(), audience_) == audience.end()) {
    return Refused(TokenFault::kAudience, "the token is for another audience");
  }
  return Grant{
      .user_id = std::move(claims.subject),
      .permissions = claims.permissions ? Shared(std::move(*claims.permissions)) : without_claims_,
      .ends_at = claims.expires_at + leeway_};
}

}  // namespace crier
