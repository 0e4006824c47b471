#include "server/grpc/caller.h"

#include <string>
#include <utility>
#include <variant>

namespace crier {

std::optional<Caller> CallerOf(Call* call, TokenTime token) {
  if (!call->TakeRate()) return std::nullopt;
  Shard& shard = call->shard();
  const std::string certificate_user = call->certificate_user();
  auto caller =
      AdmitCaller(shard.options().authenticator, shard.clock().WallNanos() / 1'000'000'000,
                  {.authorization = call->head().Find("authorization"),
                   .certificate_user = certificate_user,
                   .user_id = call->head().Find("crier-user-id"),
                   .user_id_is_in = "the metadata crier-user-id"},
                  &shard.metrics(), token);
  if (const auto* refusal = std::get_if<Refusal>(&caller)) {
    call->Finish(ToGrpcStatus(ErrorOf(*refusal)));
    return std::nullopt;
  }
  return std::move(std::get<Caller>(caller));
}

}  // namespace crier
