#include "client/token.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace crier::client {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct Signing {
  std::string_view algorithm;
  const EVP_MD* (*digest)();
  int key_kind;  // EVP_PKEY_...; EVP_PKEY_HMAC: a secret
};
constexpr std::array<Signing, 6> kSignings = {{
    {"HS256", &EVP_sha256, EVP_PKEY_HMAC},
    {"HS384", &EVP_sha384, EVP_PKEY_HMAC},
    {"HS512", &EVP_sha512, EVP_PKEY_HMAC},
    {"RS256", &EVP_sha256, EVP_PKEY_RSA},
    {"ES256", &EVP_sha256, EVP_PKEY_EC},
    {"EdDSA", nullptr, EVP_PKEY_ED25519},
}};

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<std::string> Decode(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = std::string_view(kAlphabet, 64).find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

// Two numbers of 32 bytes, of ECDSA's signature as OpenSSL has it (RFC 7518, section 3.4).
std::string TwoNumbersOf(const std::string& der) {
  const unsigned char* begin = Bytes(der);
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> both(
      d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(der.size())), &ECDSA_SIG_free);
  std::string numbers(64, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(numbers.data());
  if (both == nullptr || BN_bn2binpad(ECDSA_SIG_get0_r(both.get()), out, 32) != 32 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(both.get()), out + 32, 32) != 32) {
    return {};
  }
  return numbers;
}

absl::StatusOr<std::string> SignWithSecret(const Signing& signing, std::string_view secret,
                                           std::string_view text) {
  if (secret.find("-----BEGIN ") != secret.npos) {
    return absl::InvalidArgumentError("the key is PEM, and no secret as the algorithm needs it");
  }
  if (secret.ends_with('\n')) secret.remove_suffix(1);
  if (secret.ends_with('\r')) secret.remove_suffix(1);
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  unsigned length = 0;
  HMAC(signing.digest(), secret.data(), static_cast<int>(secret.size()), Bytes(text), text.size(),
       made.data(), &length);
  return std::string(reinterpret_cast<const char*>(made.data()), length);
}

absl::StatusOr<std::string> SignWithKey(const Signing& signing, std::string_view pem,
                                        std::string_view text) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
  // Without a callback OpenSSL would ask the terminal for the password of an encrypted key.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr), &EVP_PKEY_free);
  if (key == nullptr) {
    return absl::InvalidArgumentError("the key is no private key in PEM, or has a password");
  }
  if (EVP_PKEY_get_base_id(key.get()) != signing.key_kind) {
    return absl::InvalidArgumentError("the key is of another kind than the algorithm");
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  const EVP_MD* const digest = signing.digest == nullptr ? nullptr : signing.digest();
  std::string signature(static_cast<size_t>(EVP_PKEY_get_size(key.get())), '\0');
  size_t length = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                     Bytes(text), text.size()) != 1) {
    return absl::InternalError("the key does not sign");
  }
  signature.resize(length);
  if (signing.key_kind != EVP_PKEY_EC) return signature;
  signature = TwoNumbersOf(signature);
  if (signature.empty())
    return absl::InvalidArgumentError("the key is of another curve than P-256");
  return signature;
}

}  // namespace

std::string EncodeBase64Url(std::string_view bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text += kAlphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kAlphabet[bits << (6 - count) & 63];
  return text;
}

absl::StatusOr<std::string> SignToken(std::string_view claims, std::string_view algorithm,
                                      std::string_view key, std::string_view kid) {
  for (const Signing& signing : kSignings) {
    if (signing.algorithm != algorithm) continue;
    boost::json::object header;
    header["alg"] = boost::json::string_view(algorithm.data(), algorithm.size());
    header["typ"] = "JWT";
    if (!kid.empty()) header["kid"] = boost::json::string_view(kid.data(), kid.size());
    const std::string text =
        EncodeBase64Url(boost::json::serialize(header)) + "." + EncodeBase64Url(claims);
    const absl::StatusOr<std::string> signature = signing.key_kind == EVP_PKEY_HMAC
                                                      ? SignWithSecret(signing, key, text)
                                                      : SignWithKey(signing, key, text);
    if (!signature.ok()) return signature.status();
    return text + "." + EncodeBase64Url(*signature);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the algorithm ", std::string(algorithm),
                   " is not one of HS256, HS384, HS512, RS256, ES256, EdDSA"));
}

absl::StatusOr<TokenParts> TakeTokenApart(std::string_view token) {
  const size_t first = token.find('.');
  const size_t second = first == token.npos ? token.npos : token.find('.', first + 1);
  if (second != token.npos) {
    auto header = Decode(token.substr(0, first));
    auto claims = Decode(token.substr(first + 1, second - first - 1));
    if (header && claims) return TokenParts{.header = *header, .claims = *claims};
  }
  return absl::InvalidArgumentError(
      "this is no JSON Web Token: three parts with dots between them");
}

}  // namespace crier::client
