#include "server/auth/key_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/token.h"
#include "tests/support/tokens.h"

namespace crier {
namespace {

using testing::Ed25519Pair;
using testing::P256Pair;
using testing::RsaPair;

std::string WhyNot(const absl::StatusOr<std::vector<VerifyingKey>>& keys) {
  return keys.ok() ? "it was taken" : std::string(keys.status().message());
}

std::string Jwks(const std::string& keys) { return R"({"keys":[)" + keys + "]}"; }
std::string OctKey(size_t bytes, const std::string& more = "") {
  return R"({"kty":"oct","k":")" + client::EncodeBase64Url(std::string(bytes, 's')) + "\"" + more +
         "}";
}

TEST(KeyFileTest, SeveralPublicKeysInOneFile) {
  const auto keys =
      ParseKeyFile("a comment\n" + RsaPair().public_pem + "\n" + Ed25519Pair().public_pem);
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_TRUE((*keys)[0].Fits(Algorithm::kRs256));
  EXPECT_FALSE((*keys)[0].Fits(Algorithm::kEdDsa));
  EXPECT_TRUE((*keys)[1].Fits(Algorithm::kEdDsa));
  EXPECT_FALSE((*keys)[1].Fits(Algorithm::kHs256));
}

TEST(KeyFileTest, ASecretWithoutItsLinesEnd) {
  for (const char* end : {"", "\n", "\r\n"}) {
    const auto keys = ParseKeyFile(std::string(32, 's') + end);
    ASSERT_TRUE(keys.ok()) << keys.status();
    EXPECT_TRUE(keys->front().Fits(Algorithm::kHs256));
    EXPECT_FALSE(keys->front().Fits(Algorithm::kHs384));
    EXPECT_TRUE(keys->front().Verify(Algorithm::kHs256, "text",
                                     testing::HmacSha256(std::string(32, 's'), "text")));
  }
}

TEST(KeyFileTest, AShortSecretIsRefused) {
  EXPECT_EQ(WhyNot(ParseKeyFile("secret\n")),
            "a secret has 6 bytes; it needs at least 32 for HS256, 48 for HS384, 64 for HS512");
  EXPECT_EQ(WhyNot(ParseKeyFile("")),
            "a secret has 0 bytes; it needs at least 32 for HS256, 48 for HS384, 64 for HS512");
}

TEST(KeyFileTest, APrivateKeyIsRefused) {
  EXPECT_EQ(WhyNot(ParseKeyFile(P256Pair().private_pem)),
            "the file holds a private key; the server needs only the public one");
}

TEST(KeyFileTest, BrokenPemIsNoSecret) {
  std::string pem = RsaPair().public_pem;
  EXPECT_EQ(WhyNot(ParseKeyFile(pem.substr(0, pem.size() / 2))),
            "the file begins as PEM does, and holds no whole block of it");
  EXPECT_EQ(WhyNot(ParseKeyFile("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")),
            "a block of PEM (PUBLIC KEY) is not a public key or certificate that can be read");
}

TEST(KeyFileTest, OtherKindsOfKeysAreRefused) {
  // P-384, and RSA with 1,024 bits; made with openssl genpkey.
  EXPECT_EQ(WhyNot(ParseKeyFile(R"(-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE3kGjk2PhOmPfH3SdbLspA+kiyMOMmALf
KHtmQBvHuote+OUYnYOr5A/YiQ+MnEhogUeao5XFHPR0J6MJ80+H6wInI2yKAmE4
y2IF7JVHgDUuTiMcXVultSKqTEWP7b0v
-----END PUBLIC KEY-----
)")),
            "a key is of another curve than P-256 (for ES256)");
  EXPECT_EQ(WhyNot(ParseKeyFile(R"(-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDGwKfC0aGfxV1jzcmrIkZz/4g5
xczQ6FaglW6Hhr6GtjsyHIuffq0KepiGIJGUFHF/1bSB3xRR4D+QjQzE2+wX7/n/
Cb4v1FgpYlibcJMzA9/dURPmjY5/OZ3Y3slaG7dVsOwLTpKqu/Ropsgg/CE974nj
Mqhw25XDZ63adMhxBwIDAQAB
-----END PUBLIC KEY-----
)")),
            "an RSA key has 1024 bits; it needs at least 2048");
}

TEST(JwksTest, KeysWithTheirNames) {
  const auto keys = ParseJwks(Jwks(OctKey(64, R"(,"kid":"one","alg":"HS512","use":"sig")") + "," +
                                   OctKey(32, R"(,"kid":"two","key_ops":["sign","verify"])")),
                              nullptr);
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_EQ((*keys)[0].kid(), "one");
  EXPECT_TRUE((*keys)[0].Fits(Algorithm::kHs512));
  EXPECT_FALSE((*keys)[0].Fits(Algorithm::kHs256)) << "alg names another";
  EXPECT_TRUE((*keys)[1].Fits(Algorithm::kHs256));
}

// RFC 7515, appendix A.2.1.
TEST(JwksTest, AnRsaKey) {
  const auto keys = ParseJwks(
      Jwks(
          R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})"),
      nullptr);
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_TRUE(keys->front().Fits(Algorithm::kRs256));
}

TEST(JwksTest, WhatIsForOthersIsPassedOver) {
  std::vector<std::string> passed_over;
  const auto keys =
      ParseJwks(Jwks(R"({"kty":"EC","crv":"P-521","x":"AA","y":"AA"},{"kty":"new"},)" +
                     OctKey(32, R"(,"use":"enc")") + "," + OctKey(32, R"(,"key_ops":["encrypt"])") +
                     "," + OctKey(64, R"(,"alg":"A256GCM")") + "," + OctKey(32)),
                &passed_over);
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->size(), 1u);
  EXPECT_EQ(passed_over, (std::vector<std::string>{"key 1", "key 2", "key 3", "key 4", "key 5"}));
}

TEST(JwksTest, WhatIsWrongIsSaid) {
  const std::string no_jwks = "the file is no JWKS: that is a JSON object with the list \"keys\"";
  EXPECT_EQ(WhyNot(ParseJwks("", nullptr)), no_jwks);
  EXPECT_EQ(WhyNot(ParseJwks("[]", nullptr)), no_jwks);
  EXPECT_EQ(WhyNot(ParseJwks(R"({"keys":{}})", nullptr)), no_jwks);
  EXPECT_EQ(WhyNot(ParseJwks(Jwks("7"), nullptr)), "key 1 is no JSON object");
  EXPECT_TRUE(WhyNot(ParseJwks(Jwks(""), nullptr)).starts_with("no key of the set")) << "empty";
  EXPECT_EQ(WhyNot(ParseJwks(Jwks(OctKey(31)), nullptr)),
            "key 1: a secret has 31 bytes; it needs at least 32 for HS256, 48 for HS384, 64 for "
            "HS512");
  EXPECT_EQ(WhyNot(ParseJwks(Jwks(OctKey(32, R"(,"alg":"HS512")")), nullptr)),
            "key 1: a secret for HS512 has 32 bytes; it needs at least 64");
  EXPECT_EQ(WhyNot(ParseJwks(Jwks(OctKey(64, R"(,"alg":"RS256")")), nullptr)),
            "key 1: a key is of another kind than its algorithm, RS256");
  const std::string no_key = "key 1: its numbers are missing, or are no key";
  EXPECT_EQ(WhyNot(ParseJwks(Jwks(R"({"kty":"RSA","n":"","e":"AQAB"})"), nullptr)), no_key);
  EXPECT_EQ(WhyNot(ParseJwks(Jwks(R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"), nullptr)), no_key);
  const std::string zeros = client::EncodeBase64Url(std::string(32, '\0'));
  EXPECT_EQ(WhyNot(ParseJwks(
                Jwks(R"({"kty":"EC","crv":"P-256","x":")" + zeros + R"(","y":")" + zeros + "\"}"),
                nullptr)),
            no_key)
      << "not on the curve";
  EXPECT_EQ(WhyNot(ParseJwks(Jwks(R"({"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"})"), nullptr)),
            "key 1: it is a private key; the server needs only the public one");
  std::string many = OctKey(32);
  for (size_t i = 0; i < kMaxKeys; ++i) many += "," + OctKey(32);
  EXPECT_EQ(WhyNot(ParseJwks(Jwks(many), nullptr)), "more than 32 keys");
}

}  // namespace
}  // namespace crier
