#include "server/auth/verifying_key.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace crier {
namespace {

struct AlgorithmInfo {
  std::string_view name;
  size_t least_secret_bytes = 0;  // 0: not for secrets
  const EVP_MD* (*digest)() = nullptr;
};
constexpr std::array<AlgorithmInfo, kAlgorithmCount> kAlgorithms = {{
    {"HS256", 32, &EVP_sha256},
    {"HS384", 48, &EVP_sha384},
    {"HS512", 64, &EVP_sha512},
    {"RS256", 0, &EVP_sha256},
    {"ES256", 0, &EVP_sha256},
    {"EdDSA", 0, nullptr},
}};

constexpr int kLeastRsaBits = 2048;
constexpr size_t kP256Bytes = 32;  // of each of the two numbers of a signature

const AlgorithmInfo& InfoOf(Algorithm algorithm) {
  return kAlgorithms[static_cast<size_t>(algorithm)];
}

uint32_t BitOf(Algorithm algorithm) { return 1u << static_cast<uint32_t>(algorithm); }

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool IsP256(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  size_t length = 0;
  return EVP_PKEY_get_group_name(key, name.data(), name.size(), &length) == 1 &&
         std::string_view(name.data(), length) == "prime256v1";
}

absl::StatusOr<Algorithm> AlgorithmFor(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(key) >= kLeastRsaBits) return Algorithm::kRs256;
      return absl::InvalidArgumentError(absl::StrCat("an RSA key has ", EVP_PKEY_get_bits(key),
                                                     " bits; it needs at least ", kLeastRsaBits));
    case EVP_PKEY_EC:
      if (IsP256(key)) return Algorithm::kEs256;
      return absl::InvalidArgumentError("a key is of another curve than P-256 (for ES256)");
    case EVP_PKEY_ED25519:
      return Algorithm::kEdDsa;
    default:
      return absl::InvalidArgumentError(
          "a key is of a kind that is not taken; there are RSA, P-256 and Ed25519");
  }
}

bool HmacMatches(const EVP_MD* digest, std::string_view secret, std::string_view text,
                 std::string_view signature) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  unsigned length = 0;
  if (HMAC(digest, secret.data(), static_cast<int>(secret.size()), Bytes(text), text.size(),
           made.data(), &length) == nullptr) {
    return false;
  }
  return signature.size() == length && CRYPTO_memcmp(made.data(), signature.data(), length) == 0;
}

// A signature of ECDSA as OpenSSL wants it, of the one that tokens have: two numbers of 32 bytes
// (RFC 7518, section 3.4). Empty: it is none.
std::string DerOf(std::string_view signature) {
  if (signature.size() != 2 * kP256Bytes) return {};
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> both(ECDSA_SIG_new(),
                                                                   &ECDSA_SIG_free);
  BIGNUM* const r = BN_bin2bn(Bytes(signature), kP256Bytes, nullptr);
  BIGNUM* const s = BN_bin2bn(Bytes(signature) + kP256Bytes, kP256Bytes, nullptr);
  if (both == nullptr || ECDSA_SIG_set0(both.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(both.get(), &der);
  if (length <= 0) return {};
  std::string text(reinterpret_cast<const char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  return text;
}

bool SignatureMatches(const EVP_MD* digest, EVP_PKEY* key, std::string_view text,
                      std::string_view signature) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  const bool matches = context != nullptr &&
                       EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
                       EVP_DigestVerify(context.get(), Bytes(signature), signature.size(),
                                        Bytes(text), text.size()) == 1;
  // Of a wrong signature: TLS on this thread would take it for its own.
  ERR_clear_error();
  return matches;
}

}  // namespace

std::optional<Algorithm> AlgorithmOf(std::string_view name) {
  for (size_t i = 0; i < kAlgorithms.size(); ++i) {
    if (kAlgorithms[i].name == name) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

std::string_view NameOf(Algorithm algorithm) { return InfoOf(algorithm).name; }

absl::StatusOr<VerifyingKey> VerifyingKey::OfSecret(std::string secret, std::string kid) {
  VerifyingKey key;
  for (const Algorithm algorithm : {Algorithm::kHs256, Algorithm::kHs384, Algorithm::kHs512}) {
    if (secret.size() >= InfoOf(algorithm).least_secret_bytes) key.fits_ |= BitOf(algorithm);
  }
  if (key.fits_ == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a secret has ", secret.size(),
                     " bytes; it needs at least 32 for HS256, 48 for HS384, 64 for HS512"));
  }
  key.secret_ = std::move(secret);
  key.kid_ = std::move(kid);
  return key;
}

absl::StatusOr<VerifyingKey> VerifyingKey::OfPublicKey(PublicKey public_key, std::string kid) {
  const absl::StatusOr<Algorithm> algorithm = AlgorithmFor(public_key.get());
  if (!algorithm.ok()) return algorithm.status();
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> check(
      EVP_PKEY_CTX_new(public_key.get(), nullptr), &EVP_PKEY_CTX_free);
  const bool sound = check != nullptr && EVP_PKEY_public_check(check.get()) == 1;
  ERR_clear_error();
  if (!sound)
    return absl::InvalidArgumentError("a public key is not sound: its numbers are no key");
  VerifyingKey key;
  key.public_key_ = std::move(public_key);
  key.kid_ = std::move(kid);
  key.fits_ = BitOf(*algorithm);
  return key;
}

absl::Status VerifyingKey::Limit(Algorithm algorithm) {
  if (Fits(algorithm)) {
    fits_ = BitOf(algorithm);
    return absl::OkStatus();
  }
  const AlgorithmInfo& info = InfoOf(algorithm);
  if (!secret_.empty() && info.least_secret_bytes > 0) {
    return absl::InvalidArgumentError(absl::StrCat("a secret for ", std::string(info.name), " has ",
                                                   secret_.size(), " bytes; it needs at least ",
                                                   info.least_secret_bytes));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a key is of another kind than its algorithm, ", std::string(info.name)));
}

bool VerifyingKey::Fits(Algorithm algorithm) const { return (fits_ & BitOf(algorithm)) != 0; }

bool VerifyingKey::Verify(Algorithm algorithm, std::string_view text,
                          std::string_view signature) const {
  const AlgorithmInfo& info = InfoOf(algorithm);
  const EVP_MD* const digest = info.digest == nullptr ? nullptr : info.digest();
  if (!secret_.empty()) return HmacMatches(digest, secret_, text, signature);
  if (algorithm != Algorithm::kEs256) {
    return SignatureMatches(digest, public_key_.get(), text, signature);
  }
  const std::string der = DerOf(signature);
  return !der.empty() && SignatureMatches(digest, public_key_.get(), text, der);
}

}  // namespace crier
