#include "server/service/caller.h"

#include <string>
#include <utility>

#include "server/base/concat.h"

namespace crier {
namespace {

std::variant<Caller, Refusal> ByName(const CallerFields& fields) {
  auto user = UserId::Admit(std::string(fields.user_id));
  if (auto* refusal = std::get_if<Refusal>(&user)) {
    refusal->message = Concat({"in ", fields.user_id_is_in, ": ", refusal->message});
    return std::move(*refusal);
  }
  return Caller{.user_id = std::move(std::get<UserId>(user))};
}

std::variant<Caller, Refusal> ByGrant(Grant grant) {
  // Authenticators give only what passes.
  auto user = UserId::Admit(grant.user_id);
  if (auto* refusal = std::get_if<Refusal>(&user)) return std::move(*refusal);
  return Caller{.user_id = std::move(std::get<UserId>(user)), .grant = std::move(grant)};
}

}  // namespace

std::variant<Caller, Refusal> AdmitCaller(const Authenticator* authenticator, int64_t now,
                                          const CallerFields& fields, ShardMetrics* metrics,
                                          TokenTime token_time) {
  if (authenticator == nullptr) return ByName(fields);
  const std::string_view token = BearerTokenOf(fields.authorization);
  if (!token.empty()) {
    auto verified = authenticator->Verify(token, now);
    if (auto* refusal = std::get_if<TokenRefusal>(&verified)) {
      metrics->CountRefused(refusal->fault);
      return Refusal{refusal->outcome, std::move(refusal->message)};
    }
    return ByGrant(std::move(std::get<Grant>(verified)));
  }
  if (auto grant = authenticator->OfCertificate(fields.certificate_user)) {
    return ByGrant(std::move(*grant));
  }
  if (auto anonymous = authenticator->Anonymous()) return ByGrant(std::move(*anonymous));
  if (token_time == TokenTime::kLater) return Caller{};
  metrics->CountRefused(TokenFault::kMissing);
  return Refusal{
      Outcome::kUnauthenticated,
      "this server asks for a token: in the header or metadata Authorization, as \"Bearer "
      "TOKEN\""};
}

Refusal TooManyCalls(uint32_t most) {
  return {Outcome::kRateLimited,
          Concat({"more calls come in a second from this address than this server takes (",
                  std::to_string(most), ")"})};
}

}  // namespace crier
