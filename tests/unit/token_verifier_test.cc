#include "server/auth/token_verifier.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "client/token.h"
#include "server/auth/base64url.h"
#include "server/auth/key_parser.h"
#include "tests/support/tokens.h"

namespace crier {
namespace {

using testing::Ed25519Pair;
using testing::kOtherSecret;
using testing::kTestSecret;
using testing::P256Pair;
using testing::RsaPair;
using testing::SignedToken;

constexpr int64_t kNow = 1'700'000'000;
constexpr char kPlain[] = R"({"sub":"alice","exp":1700000100})";

// A verifier with the keys of these files.
class TokenVerifierTest : public ::testing::Test {
 protected:
  void Accept(std::vector<std::string> files, TokenRules rules = {}) {
    verifier_ = std::make_unique<TokenVerifier>(std::move(rules));
    std::vector<VerifyingKey> keys;
    for (const std::string& file : files) {
      auto read = ParseKeyFile(file);
      ASSERT_TRUE(read.ok()) << read.status();
      for (VerifyingKey& key : *read) keys.push_back(std::move(key));
    }
    verifier_->SetKeys(std::move(keys));
  }
  void AcceptSecret(TokenRules rules = {}) { Accept({std::string(kTestSecret)}, std::move(rules)); }

  // The user, or why there is none.
  std::string Of(std::string_view token, int64_t now = kNow) {
    auto verified = verifier_->Verify(token, now);
    if (const auto* refusal = std::get_if<TokenRefusal>(&verified)) {
      outcome_ = refusal->outcome;
      fault_ = refusal->fault;
      return "no: " + refusal->message;
    }
    grant_ = std::get<Grant>(std::move(verified));
    return grant_.user_id;
  }
  // Of claims besides the user and the end.
  std::string OfClaims(const std::string& claims) {
    return Of(SignedToken(R"({"sub":"alice","exp":1700000100,)" + claims + "}"));
  }

  std::unique_ptr<TokenVerifier> verifier_;
  Outcome outcome_ = Outcome::kOk;
  TokenFault fault_ = TokenFault::kMissing;
  Grant grant_;
};

constexpr char kNotSigned[] = "no: the token is not signed by a key that is accepted here";
constexpr char kNoToken[] = "no: this is no JSON Web Token";

TEST_F(TokenVerifierTest, EveryAlgorithm) {
  Accept({std::string(kTestSecret), RsaPair().public_pem, P256Pair().public_pem,
          Ed25519Pair().public_pem});
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256")), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "HS384")), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "HS512")), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "RS256", RsaPair().private_pem)), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "ES256", P256Pair().private_pem)), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "EdDSA", Ed25519Pair().private_pem)), "alice");
}

// Who forges tokens makes the server verify so many signatures, and no more.
TEST_F(TokenVerifierTest, AtMostFourKeysAreTriedWithAToken) {
  std::vector<VerifyingKey> keys;
  for (char c = 'a'; c < 'i'; ++c) {
    keys.push_back(*VerifyingKey::OfSecret(std::string(64, c), std::string(1, c)));
  }
  EXPECT_TRUE(TokenVerifier::CheckTries(keys).ok()) << "a token may name each of them";
  Accept({});
  verifier_->SetKeys(keys);
  for (char c = 'a'; c < 'i'; ++c) {
    const std::string secret(64, c);
    EXPECT_EQ(Of(SignedToken(kPlain, "HS256", secret, std::string(1, c))), "alice") << c;
    // Without a name, those that come first are tried.
    EXPECT_EQ(Of(SignedToken(kPlain, "HS256", secret)), c < 'e' ? "alice" : kNotSigned) << c;
  }
}

TEST_F(TokenVerifierTest, KeysOfAnotherAlgorithmAreNotTried) {
  std::vector<VerifyingKey> keys;
  for (char c = 'a'; c < 'e'; ++c) keys.push_back(*VerifyingKey::OfSecret(std::string(64, c)));
  const auto ed25519 = *ParseKeyFile(Ed25519Pair().public_pem);
  keys.push_back(ed25519.front());
  EXPECT_TRUE(TokenVerifier::CheckTries(keys).ok());
  Accept({});
  verifier_->SetKeys(keys);
  EXPECT_EQ(Of(SignedToken(kPlain, "EdDSA", Ed25519Pair().private_pem)), "alice");
}

TEST_F(TokenVerifierTest, KeysThatWouldNeverBeTriedAreRefused) {
  const auto check = [](std::vector<std::string> kids) {
    std::vector<VerifyingKey> keys;
    for (const std::string& kid : kids) {
      keys.push_back(*VerifyingKey::OfSecret(std::string(40, 's'), kid));
    }
    return std::string(TokenVerifier::CheckTries(keys).message());
  };
  EXPECT_EQ(check({"", "", "", ""}), "");
  EXPECT_EQ(check({"", "", "", "", ""}),
            "5 keys for HS256 have no name (kid); at most 4 are tried with a token, so give each "
            "its own name, in --auth_jwks");
  EXPECT_EQ(check({"", "", "", "a", "b", "c"}), "");
  EXPECT_EQ(check({"", "", "", "a", "a"}),
            "5 keys for HS256 have one name (kid) or none; at most 4 are tried with a token, so "
            "give each its own name, in --auth_jwks");
}

TEST_F(TokenVerifierTest, ARefusalSaysWhyForTheMetrics) {
  AcceptSecret({.issuer = "us"});
  const auto fault_of = [this](const std::string& token) {
    EXPECT_TRUE(Of(token).starts_with("no: "));
    return fault_;
  };
  const auto with = [](const std::string& claims) {
    return SignedToken(R"({"sub":"alice",)" + claims + "}");
  };
  EXPECT_EQ(fault_of("no token"), TokenFault::kMalformed);
  EXPECT_EQ(fault_of(client::EncodeBase64Url(R"({"alg":"none"})") + ".e30."),
            TokenFault::kAlgorithm);
  EXPECT_EQ(fault_of(SignedToken(kPlain, "HS256", kOtherSecret)), TokenFault::kSignature);
  EXPECT_EQ(fault_of(with(R"("exp":"soon")")), TokenFault::kClaims);
  EXPECT_EQ(fault_of(with(R"("exp":1600000000)")), TokenFault::kExpired);
  EXPECT_EQ(fault_of(with(R"("exp":1800000000,"nbf":1790000000)")), TokenFault::kNotYetValid);
  EXPECT_EQ(fault_of(with(R"("exp":1800000000,"iss":"them")")), TokenFault::kIssuer);
  EXPECT_EQ(fault_of(with(R"("exp":1800000000,"iss":"us","aud":"them")")), TokenFault::kAudience);
}

TEST_F(TokenVerifierTest, AnotherKeysSignature) {
  AcceptSecret();
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256", kOtherSecret)), kNotSigned);
  EXPECT_EQ(outcome_, Outcome::kUnauthenticated);
  EXPECT_EQ(Of(SignedToken(kPlain, "RS256", RsaPair().private_pem)), kNotSigned);
}

TEST_F(TokenVerifierTest, AChangedByteAnywhere) {
  for (const auto& [algorithm, key, open] :
       {std::tuple("HS256", std::string(kTestSecret), std::string(kTestSecret)),
        std::tuple("RS256", RsaPair().private_pem, RsaPair().public_pem),
        std::tuple("ES256", P256Pair().private_pem, P256Pair().public_pem),
        std::tuple("EdDSA", Ed25519Pair().private_pem, Ed25519Pair().public_pem)}) {
    Accept({open});
    const std::string token = SignedToken(kPlain, algorithm, key);
    ASSERT_EQ(Of(token), "alice");
    for (size_t i = 0; i < token.size(); ++i) {
      std::string changed = token;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      ASSERT_NE(Of(changed), "alice") << algorithm << " at " << i;
    }
    for (size_t length = 0; length < token.size(); ++length) {
      ASSERT_NE(Of(token.substr(0, length)), "alice") << algorithm << " cut at " << length;
    }
    EXPECT_NE(Of(token + "A"), "alice");
    EXPECT_NE(Of(token + "="), "alice");
    EXPECT_NE(Of(token + "\n"), "alice");
    EXPECT_NE(Of(token + ".x"), "alice");
  }
}

TEST_F(TokenVerifierTest, NoneIsNoAlgorithm) {
  AcceptSecret();
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"NONE"})", R"({"alg":""})",
        R"({"typ":"JWT"})", R"({"alg":null})", R"({"alg":"hs256"})", R"({"alg":"RS512"})"}) {
    const std::string start =
        client::EncodeBase64Url(header) + "." + client::EncodeBase64Url(kPlain) + ".";
    EXPECT_EQ(Of(start), "no: the token's algorithm is not accepted") << header;
    EXPECT_EQ(Of(start + "AAAA"), "no: the token's algorithm is not accepted") << header;
  }
}

// The oldest trick: the public key, which everybody has, as HMAC's secret.
TEST_F(TokenVerifierTest, APublicKeyIsNoSecret) {
  for (const auto* pair : {&RsaPair(), &P256Pair(), &Ed25519Pair()}) {
    Accept({pair->public_pem});
    std::string pem = pair->public_pem;
    const auto hs256 = [this](std::string_view key) {
      const std::string text =
          client::EncodeBase64Url(R"({"alg":"HS256"})") + "." + client::EncodeBase64Url(kPlain);
      return Of(text + "." + client::EncodeBase64Url(testing::HmacSha256(key, text)));
    };
    EXPECT_EQ(hs256(pem), kNotSigned);
    pem.pop_back();
    EXPECT_EQ(hs256(pem), kNotSigned);
  }
}

TEST_F(TokenVerifierTest, AKeyFitsOneKindOfAlgorithm) {
  Accept({RsaPair().public_pem});
  const auto rs256 = SignedToken(kPlain, "RS256", RsaPair().private_pem);
  for (const char* other : {"ES256", "EdDSA", "HS256", "HS512"}) {
    const std::string header = client::EncodeBase64Url(R"({"alg":")" + std::string(other) + "\"}");
    EXPECT_EQ(Of(header + rs256.substr(rs256.find('.'))), kNotSigned) << other;
  }
}

TEST_F(TokenVerifierTest, AShortSecretIsForTheShortAlgorithm) {
  Accept({std::string(32, 's')});
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256", std::string(32, 's'))), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "HS384", std::string(32, 's'))), kNotSigned);
  EXPECT_EQ(Of(SignedToken(kPlain, "HS512", std::string(32, 's'))), kNotSigned);
}

TEST_F(TokenVerifierTest, WhatIsNoToken) {
  AcceptSecret();
  for (const std::string text :
       {"", ".", "..", "...", "a.b", "a.b.c", "Bearer x", "\xff.\xff.\xff"}) {
    EXPECT_EQ(Of(text), kNoToken) << text;
  }
  const auto part = [](std::string_view text) { return client::EncodeBase64Url(text); };
  EXPECT_EQ(Of(part("[]") + "." + part("{}") + "."), kNoToken);
  EXPECT_EQ(Of(part("{") + "." + part("{}") + "."), kNoToken);
  EXPECT_EQ(Of(part(R"({"alg":"HS256","crit":["b64"]})") + "." + part("{}") + ".AAAA"),
            "no: the token has a critical extension");
  EXPECT_EQ(Of(std::string(kMaxTokenBytes + 1, 'x')), "no: the token has more than 8 KiB");
}

TEST_F(TokenVerifierTest, TimesWithLeeway) {
  AcceptSecret({.leeway = 30});
  const std::string token = SignedToken(R"({"sub":"alice","exp":1700000000,"nbf":1699990000})");
  EXPECT_EQ(Of(token, 1700000029), "alice");
  EXPECT_EQ(grant_.ends_at, 1700000030);
  EXPECT_EQ(Of(token, 1700000030), "no: the token has expired");
  EXPECT_EQ(outcome_, Outcome::kTokenExpired);
  EXPECT_EQ(Of(token, 1699989970), "alice");
  EXPECT_EQ(Of(token, 1699989969), "no: the token is not valid yet");
  EXPECT_EQ(outcome_, Outcome::kUnauthenticated);
  EXPECT_EQ(Of(SignedToken(R"({"sub":"alice","exp":1700000100.75})")), "alice");
}

TEST_F(TokenVerifierTest, TheEndAndTheUserAreNeeded) {
  AcceptSecret();
  EXPECT_EQ(Of(SignedToken(R"({"sub":"alice"})")), "no: the token has no end (exp)");
  EXPECT_EQ(Of(SignedToken(R"({"exp":1700000100})")), "no: the token names no user (sub)");
  EXPECT_EQ(Of(SignedToken(R"({"sub":"","exp":1700000100})")), "no: the token names no user (sub)");
  EXPECT_EQ(Of(SignedToken(R"({"sub":7,"exp":1700000100})")),
            "no: the claim sub of the token has to be a string");
  for (const char* end : {"\"1700000100\"", "null", "-1", "1e300", "true"}) {
    EXPECT_EQ(Of(SignedToken(R"({"sub":"alice","exp":)" + std::string(end) + "}")),
              "no: the claim exp of the token has to be a number of seconds since 1970")
        << end;
  }
  const std::string longest(255, 'u');
  EXPECT_EQ(Of(SignedToken(R"({"exp":1700000100,"sub":")" + longest + "\"}")), longest);
  EXPECT_EQ(Of(SignedToken(R"({"exp":1700000100,"sub":")" + longest + "u\"}")),
            "no: the token's user (sub) has more than 255 bytes");
  EXPECT_EQ(Of(SignedToken("{\"exp\":1700000100,\"sub\":\"\xff\"}")),
            "no: the token's claims are no JSON object");
}

TEST_F(TokenVerifierTest, IssuerAndAudience) {
  AcceptSecret({.issuer = "https://id.example", .audience = "crier"});
  EXPECT_EQ(OfClaims(R"("iss":"https://id.example","aud":"crier")"), "alice");
  EXPECT_EQ(OfClaims(R"("iss":"https://id.example","aud":["x","crier"])"), "alice");
  EXPECT_EQ(OfClaims(R"("iss":"https://id.example.evil","aud":"crier")"),
            "no: the token is from another issuer");
  EXPECT_EQ(OfClaims(R"("aud":"crier")"), "no: the token is from another issuer");
  EXPECT_EQ(OfClaims(R"("iss":"https://id.example")"), "no: the token is for another audience");
  EXPECT_EQ(OfClaims(R"("iss":"https://id.example","aud":["x"])"),
            "no: the token is for another audience");
  EXPECT_EQ(OfClaims(R"("iss":"https://id.example","aud":[7])"),
            "no: the claim aud of the token has to be a string or a list of strings");
}

TEST_F(TokenVerifierTest, AnAudienceThatNobodyAskedFor) {
  AcceptSecret();
  EXPECT_EQ(OfClaims(R"("aud":"somebody")"), "no: the token is for another audience");
  EXPECT_EQ(OfClaims(R"("aud":[])"),
            "no: the claim aud of the token has to be a string or a list of strings");
}

TEST_F(TokenVerifierTest, ClaimsInBothForms) {
  AcceptSecret();
  for (const char* claims :
       {R"("crier":{"publish":["chat.*"],"subscribe":["",  "user.{sub}.**"],"direct":true})",
        R"("crier.publish":["chat.*"],"crier.subscribe":["","user.{sub}.**"],"crier.direct":true)",
        R"("crier":{"publish":["chat.*"],"direct":true},"crier.subscribe":["","user.{sub}.**"])"}) {
    ASSERT_EQ(OfClaims(claims), "alice") << claims;
    const Permissions& may = *grant_.permissions;
    EXPECT_TRUE(may.MayPublish("chat.1", "alice"));
    EXPECT_FALSE(may.MayPublish("", "alice"));
    EXPECT_TRUE(may.MaySubscribe("", "alice"));
    EXPECT_TRUE(may.MaySubscribe("user.alice.x", "alice"));
    EXPECT_TRUE(may.direct);
    EXPECT_FALSE(may.presence || may.history || may.admin);
  }
  ASSERT_EQ(OfClaims(R"("crier":{"presence":true,"history":true,"admin":true})"), "alice");
  EXPECT_TRUE(grant_.permissions->presence && grant_.permissions->history);
  EXPECT_TRUE(grant_.permissions->admin);
}

TEST_F(TokenVerifierTest, WrongClaimsAreRefusedAndNotIgnored) {
  AcceptSecret();
  EXPECT_EQ(OfClaims(R"("crier.publish":"chat.*")"),
            "no: the claim crier.publish of the token has to be a list of patterns, which are "
            "strings");
  EXPECT_EQ(OfClaims(R"("crier":{"direct":"yes"})"),
            "no: the claim crier.direct of the token has to be true or false");
  EXPECT_EQ(OfClaims(R"("crier":7)"), "no: the claim crier of the token has to be an object");
  EXPECT_EQ(OfClaims(R"("crier":{"direct":true},"crier.direct":false)"),
            "no: the token has the claim crier.direct twice");
  EXPECT_EQ(
      OfClaims(R"("crier.subscribe":["a*"])"),
      "no: in the claim crier.subscribe of the token, the pattern \"a*\" has *, { or } within "
      "a segment; whole segments may be *, ** or {sub}");
}

TEST_F(TokenVerifierTest, DefaultsAreForTokensThatSayNothing) {
  TokenRules rules;
  rules.without_claims = Permissions::All();
  AcceptSecret(std::move(rules));
  ASSERT_EQ(Of(SignedToken(kPlain)), "alice");
  EXPECT_TRUE(grant_.permissions->MayPublish("x", "alice"));
  // It says something: nothing.
  ASSERT_EQ(OfClaims(R"("crier":{})"), "alice");
  EXPECT_FALSE(grant_.permissions->MayPublish("x", "alice"));
  ASSERT_EQ(OfClaims(R"("crier.direct":true)"), "alice");
  EXPECT_FALSE(grant_.permissions->MayPublish("x", "alice"));
}

TEST_F(TokenVerifierTest, Anonymous) {
  AcceptSecret();
  EXPECT_FALSE(verifier_->Anonymous().has_value());
  TokenRules rules;
  rules.anonymous = *Permissions::Parse("subscribe=news");
  AcceptSecret(std::move(rules));
  const auto grant = verifier_->Anonymous();
  ASSERT_TRUE(grant.has_value());
  EXPECT_EQ(grant->user_id, "");
  EXPECT_EQ(grant->ends_at, 0);
  EXPECT_TRUE(grant->permissions->MaySubscribe("news", ""));
  EXPECT_FALSE(grant->permissions->MayPublish("news", ""));
}

TEST_F(TokenVerifierTest, KeysByName) {
  verifier_ = std::make_unique<TokenVerifier>(TokenRules{});
  const auto jwks =
      ParseJwks(R"({"keys":[{"kty":"oct","kid":"old","k":")" +
                    client::EncodeBase64Url(kTestSecret) + R"("},{"kty":"oct","kid":"new","k":")" +
                    client::EncodeBase64Url(kOtherSecret) + R"("}]})",
                nullptr);
  ASSERT_TRUE(jwks.ok()) << jwks.status();
  verifier_->SetKeys(*jwks);
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256", kTestSecret, "old")), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256", kOtherSecret, "new")), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256", kOtherSecret)), "alice");
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256", kOtherSecret, "old")), kNotSigned);
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256", kOtherSecret, "unknown")), kNotSigned);
  verifier_->SetKeys({});
  EXPECT_EQ(Of(SignedToken(kPlain, "HS256", kOtherSecret, "new")), kNotSigned);
}

// RFC 7515, appendices A.1 and A.3; RFC 8037, appendix A.4: signatures that others have made.
TEST(VerifyingKeyTest, ExamplesOfTheStandards) {
  const struct {
    const char* jwk;
    Algorithm algorithm;
    const char* text;
    const char* signature;
  } examples[] = {
      {R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})",
       Algorithm::kHs256,
       "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
       "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0d"
       "HA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
       "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
      {R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})",
       Algorithm::kEs256,
       "eyJhbGciOiJFUzI1NiJ9."
       "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
       "bS9pc19yb290Ijp0cnVlfQ",
       "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
      {R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
       Algorithm::kEdDsa, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
       "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
  };
  for (const auto& example : examples) {
    const auto keys = ParseJwks(R"({"keys":[)" + std::string(example.jwk) + "]}", nullptr);
    ASSERT_TRUE(keys.ok()) << keys.status();
    const VerifyingKey& key = keys->front();
    ASSERT_TRUE(key.Fits(example.algorithm));
    const auto signature = DecodeBase64Url(example.signature);
    ASSERT_TRUE(signature.has_value());
    EXPECT_TRUE(key.Verify(example.algorithm, example.text, *signature)) << example.jwk;
    EXPECT_FALSE(key.Verify(example.algorithm, std::string(example.text) + "x", *signature));
  }
}

}  // namespace
}  // namespace crier
