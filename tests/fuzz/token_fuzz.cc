// Whatever text stands where a token does: no crash, and nobody is anybody without a signature. The
// first byte chooses what the rest is: a token, the claims of one whose signature was verified, or
// a header of one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "server/auth/key_parser.h"
#include "server/auth/token_claims.h"
#include "server/auth/token_verifier.h"

namespace {

constexpr int64_t kNow = 1'700'000'000;

const crier::TokenVerifier& Verifier() {
  static const crier::TokenVerifier* const verifier = [] {
    crier::TokenRules rules;
    rules.audience = "crier";
    auto* made = new crier::TokenVerifier(std::move(rules));
    made->SetKeys(*crier::ParseKeyFile(std::string(64, 's')));
    return made;
  }();
  return *verifier;
}

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    const auto verified = Verifier().Verify(text, kNow);
    // The fuzzer has no key.
    Check(std::holds_alternative<crier::TokenRefusal>(verified));
    Check(!std::get<crier::TokenRefusal>(verified).message.empty());
    return 0;
  }
  const auto read = crier::ReadTokenClaims(text);
  if (const auto* claims = std::get_if<crier::TokenClaims>(&read)) {
    Check(!claims->subject.empty() && claims->subject.size() <= crier::Grant::kMaxUserBytes);
    Check(claims->expires_at >= 0);
    if (claims->permissions) {
      // A user without a dot may not leave what {sub} names; a check ends, whatever the patterns.
      claims->permissions->MayPublish("a.b.c", claims->subject);
      claims->permissions->MaySubscribe("", claims->subject);
      Check(claims->permissions->publish.size() <= crier::Permissions::kMaxPatterns);
    }
  } else {
    Check(!std::get<std::string>(read).empty());
  }
  return 0;
}
