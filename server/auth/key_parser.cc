#include "server/auth/key_parser.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/auth/base64url.h"

namespace crier {
namespace {

namespace json = boost::json;
using Keys = std::vector<VerifyingKey>;

template <typename T, void (*free)(T*)>
struct Freed {
  void operator()(T* object) const { free(object); }
};
template <typename T, void (*free)(T*)>
using Owned = std::unique_ptr<T, Freed<T, free>>;

absl::Status Wrong(std::string text) { return absl::InvalidArgumentError(std::move(text)); }

PublicKey Share(EVP_PKEY* key) { return PublicKey(key, &EVP_PKEY_free); }

// --- PEM.

// Null: it is none.
PublicKey KeyOfBlock(std::string_view label, const unsigned char* der, long length) {
  EVP_PKEY* key = nullptr;
  if (label == PEM_STRING_PUBLIC) {
    key = d2i_PUBKEY(nullptr, &der, length);
  } else if (label == PEM_STRING_RSA_PUBLIC) {
    key = d2i_PublicKey(EVP_PKEY_RSA, nullptr, &der, length);
  } else if (label == PEM_STRING_X509) {
    const Owned<X509, X509_free> certificate(d2i_X509(nullptr, &der, length));
    if (certificate != nullptr) key = X509_get_pubkey(certificate.get());
  }
  return key == nullptr ? nullptr : Share(key);
}

absl::Status AddBlock(std::string_view label, const unsigned char* der, long length, Keys* keys) {
  if (label.ends_with("PRIVATE KEY")) {
    return Wrong("the file holds a private key; the server needs only the public one");
  }
  PublicKey read = KeyOfBlock(label, der, length);
  if (read == nullptr) {
    return Wrong(absl::StrCat("a block of PEM (", std::string(label),
                              ") is not a public key or certificate that can be read"));
  }
  absl::StatusOr<VerifyingKey> key = VerifyingKey::OfPublicKey(std::move(read));
  if (!key.ok()) return key.status();
  keys->push_back(*std::move(key));
  return absl::OkStatus();
}

absl::StatusOr<Keys> ParsePem(std::string_view content) {
  const Owned<BIO, BIO_free_all> bio(
      BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
  Keys keys;
  absl::Status status;
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  long length = 0;
  while (status.ok() && PEM_read_bio(bio.get(), &label, &header, &der, &length) == 1) {
    status = AddBlock(label, der, length, &keys);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, static_cast<size_t>(length));
  }
  ERR_clear_error();
  if (!status.ok()) return status;
  if (keys.empty()) return Wrong("the file begins as PEM does, and holds no whole block of it");
  return keys;
}

// --- JWK.

// A member that is a text; empty: there is none.
std::string_view TextOf(const json::object& jwk, std::string_view name) {
  const json::value* value = jwk.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// A member in base64; empty: there is none, or it is not that.
std::string BytesOf(const json::object& jwk, std::string_view name) {
  return DecodeBase64Url(TextOf(jwk, name)).value_or("");
}

PublicKey KeyOfParameters(const char* kind, OSSL_PARAM_BLD* built) {
  const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters(OSSL_PARAM_BLD_to_param(built));
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(
      EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return Share(key);
}

PublicKey RsaKeyOf(const json::object& jwk) {
  const auto number = [&jwk](std::string_view name) {
    const std::string bytes = BytesOf(jwk, name);
    return Owned<BIGNUM, BN_free>(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                            static_cast<int>(bytes.size()), nullptr));
  };
  const auto n = number("n");
  const auto e = number("e");
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> built(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || BN_is_zero(n.get()) || BN_is_zero(e.get()) ||
      OSSL_PARAM_BLD_push_BN(built.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(built.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return KeyOfParameters("RSA", built.get());
}

PublicKey P256KeyOf(const json::object& jwk) {
  const std::string x = BytesOf(jwk, "x");
  const std::string y = BytesOf(jwk, "y");
  if (x.size() != 32 || y.size() != 32) return nullptr;  // RFC 7518, section 6.2.1.2
  const std::string point = "\x04" + x + y;
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> built(OSSL_PARAM_BLD_new());
  if (OSSL_PARAM_BLD_push_utf8_string(built.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(built.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return KeyOfParameters("EC", built.get());
}

PublicKey Ed25519KeyOf(const json::object& jwk) {
  const std::string x = BytesOf(jwk, "x");
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(x.data()), x.size());
  return key == nullptr ? nullptr : Share(key);
}

// Whether it is for verifying signatures, as far as it says (RFC 7517, sections 4.2 and 4.3).
bool IsForVerifying(const json::object& jwk) {
  const json::value* use = jwk.if_contains("use");
  if (use != nullptr && TextOf(jwk, "use") != "sig") return false;
  const json::value* operations = jwk.if_contains("key_ops");
  if (operations == nullptr) return true;
  if (!operations->is_array()) return false;
  for (const json::value& operation : operations->get_array()) {
    if (operation == "verify") return true;
  }
  return false;
}

// nullopt: of a kind, or for an algorithm, that is not taken here.
std::optional<absl::StatusOr<VerifyingKey>> KeyOf(const json::object& jwk) {
  const std::string_view kind = TextOf(jwk, "kty");
  const std::string_view curve = TextOf(jwk, "crv");
  const bool p256 = kind == "EC" && curve == "P-256";
  const bool ed25519 = kind == "OKP" && curve == "Ed25519";
  if (kind != "oct" && kind != "RSA" && !p256 && !ed25519) return std::nullopt;
  std::optional<Algorithm> algorithm;
  if (jwk.contains("alg")) {
    algorithm = AlgorithmOf(TextOf(jwk, "alg"));
    if (!algorithm) return std::nullopt;
  }
  std::string kid(TextOf(jwk, "kid"));
  absl::StatusOr<VerifyingKey> key = Wrong("its numbers are missing, or are no key");
  if (kind == "oct") {
    key = VerifyingKey::OfSecret(BytesOf(jwk, "k"), std::move(kid));
  } else if (jwk.contains("d")) {
    key = Wrong("it is a private key; the server needs only the public one");
  } else {
    PublicKey read = p256 ? P256KeyOf(jwk) : ed25519 ? Ed25519KeyOf(jwk) : RsaKeyOf(jwk);
    ERR_clear_error();
    if (read != nullptr) key = VerifyingKey::OfPublicKey(std::move(read), std::move(kid));
  }
  if (key.ok() && algorithm) {
    if (absl::Status fits = key->Limit(*algorithm); !fits.ok()) key = std::move(fits);
  }
  return key;
}

}  // namespace

absl::StatusOr<Keys> ParseKeyFile(std::string_view content) {
  if (content.find("-----BEGIN ") != content.npos) return ParsePem(content);
  if (content.ends_with('\n')) content.remove_suffix(1);
  if (content.ends_with('\r')) content.remove_suffix(1);
  absl::StatusOr<VerifyingKey> key = VerifyingKey::OfSecret(std::string(content));
  if (!key.ok()) return key.status();
  return Keys{*std::move(key)};
}

absl::StatusOr<Keys> ParseJwks(std::string_view content, std::vector<std::string>* passed_over) {
  json::error_code error;
  const json::value parsed = json::parse(json::string_view(content.data(), content.size()), error);
  const json::value* list = nullptr;
  if (!error && parsed.is_object()) list = parsed.get_object().if_contains("keys");
  if (list == nullptr || !list->is_array()) {
    return Wrong("the file is no JWKS: that is a JSON object with the list \"keys\"");
  }
  Keys keys;
  size_t number = 0;
  for (const json::value& entry : list->get_array()) {
    ++number;
    if (!entry.is_object()) return Wrong(absl::StrCat("key ", number, " is no JSON object"));
    const json::object& jwk = entry.get_object();
    auto key = IsForVerifying(jwk) ? KeyOf(jwk) : std::nullopt;
    if (!key) {
      if (passed_over != nullptr) passed_over->push_back(absl::StrCat("key ", number));
      continue;
    }
    if (!key->ok()) {
      return Wrong(absl::StrCat("key ", number, ": ", std::string(key->status().message())));
    }
    if (keys.size() == kMaxKeys) return Wrong(absl::StrCat("more than ", kMaxKeys, " keys"));
    keys.push_back(*std::move(*key));
  }
  if (keys.empty()) {
    return Wrong(
        "no key of the set can verify a token; there are oct, RSA, EC with P-256 and OKP with "
        "Ed25519, with no other use than \"sig\"");
  }
  return keys;
}

}  // namespace crier
