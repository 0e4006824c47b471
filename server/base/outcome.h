// Outcomes: the reasons why something was refused or ended.
//
// gRPC statuses, WebSocket close codes, the names in JSON errors and the metric labels all come
// from this table. A new outcome is one line in outcome.cc and one in docs/protocol.md.
#ifndef CRIER_SERVER_BASE_OUTCOME_H_
#define CRIER_SERVER_BASE_OUTCOME_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace crier {

enum class Outcome : uint8_t {
  kOk,
  kShutdown,
  kProtocolError,
  kUnsupportedData,
  kInvalidUtf8,
  kInvalidMessage,
  kUnauthenticated,
  kTokenExpired,
  kPermissionDenied,
  kNoRecipient,
  kMessageTooBig,
  kTooManyTopics,
  kRateLimited,
  kTooManySessions,
  kSlowConsumer,
  kIdleTimeout,
  kDisconnectedByAdmin,
  // The memory budget is used up.
  kOverloaded,
  // What the nodes of a cluster share does not answer.
  kUnavailable,
  // The connection broke without a close frame from either side.
  kConnectionLost,
  kInternal,
};

inline constexpr size_t kOutcomeCount = static_cast<size_t>(Outcome::kInternal) + 1;

// What a client should do about it.
enum class Advice : uint8_t {
  kNone,
  kRetryNow,
  kRetryAfterSlot,   // after the reconnect slot that the server named
  kRetryWithToken,   // with a new token
  kRetryWithSameId,  // the same message with the same id, which makes it once
  kDoNotRetry,
};

// As clients see it: "retry_now", "retry_after_slot", "retry_with_token",
// "retry_with_same_id". Empty where the same again would end as it did (kNone, kDoNotRetry).
std::string_view AdviceName(Advice advice);

struct OutcomeInfo {
  Outcome outcome;
  std::string_view name;  // the same everywhere; the metric label is this in lower case
  std::string_view label;
  int grpc_status;  // a grpc::StatusCode
  // The WebSocket close code. 0 if the session stays open.
  uint16_t close_code;
  // The close code when the session passes the error limit. Equals close_code if that is set.
  uint16_t repeated_close_code;
  Advice advice;
  std::string_view text;  // for people, if nothing more exact is known
};

// Thread-safe. The reference lives for ever.
const OutcomeInfo& Info(Outcome outcome);

// The whole table, in the order of the enum.
std::span<const OutcomeInfo> AllOutcomes();

}  // namespace crier

#endif  // CRIER_SERVER_BASE_OUTCOME_H_
