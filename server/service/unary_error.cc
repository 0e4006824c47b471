#include "server/service/unary_error.h"

#include <atomic>
#include <cassert>

#include "google/rpc/error_details.pb.h"
#include "server/base/slot.h"

namespace crier {

UnaryError ErrorOf(Outcome outcome, std::string_view detail) {
  static std::atomic<uint64_t> calls{0};
  const Advice advice = Info(outcome).advice;
  std::optional<std::chrono::milliseconds> retry_after;
  if (advice == Advice::kRetryAfterSlot) {
    retry_after = SlotOf(calls.fetch_add(1, std::memory_order_relaxed), kReconnectSpread);
  }
  return ErrorOf(outcome, detail, advice, retry_after);
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
                   .message = std::string(detail.empty() ? info.text : detail),
                   .retry_after = retry_after};
  error.details.emplace_back().PackFrom(error_info);
  return error;
}

UnaryError ErrorOf(const Refusal& refusal) { return ErrorOf(refusal.outcome, refusal.message); }

}  // namespace crier
