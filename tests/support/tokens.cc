#include "tests/support/tokens.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <ctime>
#include <memory>

#include "client/token.h"

namespace crier::testing {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(length)};
}

TestKeyPair PemOf(EVP_PKEY* key) {
  const Bio secret(BIO_new(BIO_s_mem()), &BIO_free_all);
  const Bio open(BIO_new(BIO_s_mem()), &BIO_free_all);
  PEM_write_bio_PrivateKey(secret.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  PEM_write_bio_PUBKEY(open.get(), key);
  EVP_PKEY_free(key);
  return {.private_pem = TextOf(secret.get()), .public_pem = TextOf(open.get())};
}

}  // namespace

const TestKeyPair& RsaPair() {
  static const TestKeyPair pair = PemOf(EVP_RSA_gen(2048));
  return pair;
}

const TestKeyPair& P256Pair() {
  static const TestKeyPair pair = PemOf(EVP_EC_gen("P-256"));
  return pair;
}

const TestKeyPair& Ed25519Pair() {
  static const TestKeyPair pair = PemOf(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return pair;
}

std::string SignedToken(const std::string& claims, std::string_view algorithm, std::string_view key,
                        std::string_view kid) {
  const auto token = client::SignToken(claims, algorithm, key, kid);
  EXPECT_TRUE(token.ok()) << token.status();
  return token.value_or("");
}

std::string TokenFor(std::string_view user, std::string_view claims, int64_t seconds) {
  std::string all = "{\"sub\":\"" + std::string(user) +
                    "\",\"exp\":" + std::to_string(std::time(nullptr) + seconds);
  if (!claims.empty()) all += "," + std::string(claims);
  return SignedToken(all + "}");
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  std::string made(32, '\0');
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(made.data()), &length);
  return made;
}

}  // namespace crier::testing
