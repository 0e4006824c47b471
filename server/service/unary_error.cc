#include "server/service/unary_error.h"

#include <cassert>

#include "google/rpc/error_details.pb.h"

namespace crier {

UnaryError ErrorOf(Outcome outcome, std::string_view detail,
                   std::optional<std::chrono::milliseconds> retry_after) {
  return ErrorOf(outcome, detail, Info(outcome).advice, retry_after);
}

UnaryError ErrorOf(Outcome outcome, std::string_view detail, Advice advice,
                   std::optional<std::chrono::milliseconds> retry_after) {
  assert(outcome != Outcome::kOk);
  const OutcomeInfo& info = Info(outcome);
  google::rpc::ErrorInfo error_info;
  error_info.set_reason(std::string(info.name));
  error_info.set_domain("crier");
  auto& metadata = *error_info.mutable_metadata();
  if (const std::string_view name = AdviceName(advice); !name.empty()) {
    metadata["advice"] = std::string(name);
  }
  if (retry_after) metadata["retry_after_ms"] = std::to_string(retry_after->count());
  UnaryError error{.code = info.grpc_status,
                   .message = std::string(detail.empty() ? info.text : detail)};
  error.details.emplace_back().PackFrom(error_info);
  return error;
}

UnaryError ErrorOf(const Refusal& refusal) { return ErrorOf(refusal.outcome, refusal.message); }

}  // namespace crier
