// Why something was refused or ended: the closed table that every surface reads.
//
// gRPC statuses, WebSocket close codes, the names in JSON errors and the metric labels all come
// from here; a new outcome is one line in outcome.cc and one in docs/protocol.md.
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
  // The connection broke without a close frame of either side.
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
  kDoNotRetry,
};

struct OutcomeInfo {
  Outcome outcome;
  std::string_view name;  // on all surfaces, and lower-cased the metric label
  std::string_view label;
  int grpc_status;        // a grpc::StatusCode
  // The WebSocket close code; 0 where the session stays open.
  uint16_t close_code;
  // The close code once it is repeated past the error limit (equals close_code where that is set).
  uint16_t repeated_close_code;
  Advice advice;
  std::string_view text;  // for people, where nothing better is known
};

// Thread-safe; the reference lives for ever.
const OutcomeInfo& Info(Outcome outcome);

// The whole table, in the order of the enum.
std::span<const OutcomeInfo> AllOutcomes();

}  // namespace crier

#endif  // CRIER_SERVER_BASE_OUTCOME_H_
