#include "server/base/outcome.h"

#include <array>
#include <cassert>

namespace crier {
namespace {

// gRPC status numbers: doc/statuscodes.md of gRPC. They are written as numbers, so that this folder
// does not need gRPC. A test in tests/unit compares them with grpc::StatusCode.
constexpr int kGrpcOk = 0;
constexpr int kGrpcInvalidArgument = 3;
constexpr int kGrpcDeadlineExceeded = 4;
constexpr int kGrpcNotFound = 5;
constexpr int kGrpcPermissionDenied = 7;
constexpr int kGrpcResourceExhausted = 8;
constexpr int kGrpcAborted = 10;
constexpr int kGrpcInternal = 13;
constexpr int kGrpcUnavailable = 14;
constexpr int kGrpcUnauthenticated = 16;

// Close codes 1000-1011: RFC 6455, section 7.4.1; 44xx: this protocol's own, from the private
// range.
constexpr std::array<OutcomeInfo, kOutcomeCount> kTable = {{
    {Outcome::kOk, "OK", "ok", kGrpcOk, 1000, 1000, Advice::kNone, "the client left"},
    {Outcome::kShutdown, "SHUTDOWN", "shutdown", kGrpcUnavailable, 1001, 1001,
     Advice::kRetryAfterSlot, "the server is shutting down"},
    {Outcome::kProtocolError, "PROTOCOL_ERROR", "protocol_error", kGrpcInternal, 1002, 1002,
     Advice::kDoNotRetry, "the peer broke the transport's protocol"},
    {Outcome::kUnsupportedData, "UNSUPPORTED_DATA", "unsupported_data", kGrpcInvalidArgument, 0,
     1003, Advice::kDoNotRetry, "this kind of message is not accepted here"},
    {Outcome::kInvalidUtf8, "INVALID_UTF8", "invalid_utf8", kGrpcInvalidArgument, 1007, 1007,
     Advice::kDoNotRetry, "text that is not UTF-8"},
    {Outcome::kInvalidMessage, "INVALID_MESSAGE", "invalid_message", kGrpcInvalidArgument, 0, 1002,
     Advice::kDoNotRetry, "a message that does not follow the protocol"},
    {Outcome::kUnauthenticated, "UNAUTHENTICATED", "unauthenticated", kGrpcUnauthenticated, 4401,
     4401, Advice::kRetryWithToken, "no valid token"},
    {Outcome::kTokenExpired, "TOKEN_EXPIRED", "token_expired", kGrpcUnauthenticated, 4401, 4401,
     Advice::kRetryWithToken, "the token has expired"},
    {Outcome::kPermissionDenied, "PERMISSION_DENIED", "permission_denied", kGrpcPermissionDenied,
     4403, 4403, Advice::kDoNotRetry, "not allowed"},
    {Outcome::kNoRecipient, "NO_RECIPIENT", "no_recipient", kGrpcNotFound, 0, 0, Advice::kNone,
     "that user has no session here"},
    {Outcome::kMessageTooBig, "MESSAGE_TOO_BIG", "message_too_big", kGrpcResourceExhausted, 1009,
     1009, Advice::kDoNotRetry, "a message over the limit"},
    {Outcome::kTooManyTopics, "TOO_MANY_TOPICS", "too_many_topics", kGrpcResourceExhausted, 0, 0,
     Advice::kDoNotRetry, "this session has reached its limit of topics"},
    {Outcome::kRateLimited, "RATE_LIMITED", "rate_limited", kGrpcResourceExhausted, 0, 4429,
     Advice::kRetryAfterSlot, "too many messages"},
    {Outcome::kTooManySessions, "TOO_MANY_SESSIONS", "too_many_sessions", kGrpcUnavailable, 4430,
     4430, Advice::kRetryAfterSlot, "the server has reached its limit of sessions"},
    {Outcome::kSlowConsumer, "SLOW_CONSUMER", "slow_consumer", kGrpcResourceExhausted, 4408, 4408,
     Advice::kRetryNow, "the session read too slowly; come back with resume"},
    {Outcome::kIdleTimeout, "IDLE_TIMEOUT", "idle_timeout", kGrpcDeadlineExceeded, 4409, 4409,
     Advice::kRetryNow, "no byte was sent or received for too long"},
    {Outcome::kDisconnectedByAdmin, "DISCONNECTED_BY_ADMIN", "disconnected_by_admin", kGrpcAborted,
     4410, 4410, Advice::kNone, "disconnected by an administrator"},
    {Outcome::kOverloaded, "OVERLOADED", "overloaded", kGrpcResourceExhausted, 0, 1013,
     Advice::kRetryAfterSlot, "the server's memory for messages is used up; try again later"},
    {Outcome::kUnavailable, "UNAVAILABLE", "unavailable", kGrpcUnavailable, 0, 0,
     Advice::kRetryWithSameId, "the cluster does not answer; send it again, with the same id"},
    {Outcome::kConnectionLost, "CONNECTION_LOST", "connection_lost", kGrpcUnavailable, 1001, 1001,
     Advice::kRetryNow, "the connection broke"},
    {Outcome::kInternal, "INTERNAL", "internal", kGrpcInternal, 1011, 1011, Advice::kRetryAfterSlot,
     "an error inside the server"},
}};

}  // namespace

std::string_view AdviceName(Advice advice) {
  switch (advice) {
    case Advice::kRetryNow:
      return "retry_now";
    case Advice::kRetryAfterSlot:
      return "retry_after_slot";
    case Advice::kRetryWithToken:
      return "retry_with_token";
    case Advice::kRetryWithSameId:
      return "retry_with_same_id";
    case Advice::kNone:
    case Advice::kDoNotRetry:
      break;
  }
  return {};
}

const OutcomeInfo& Info(Outcome outcome) {
  const OutcomeInfo& info = kTable[static_cast<size_t>(outcome)];
  assert(info.outcome == outcome);
  return info;
}

std::span<const OutcomeInfo> AllOutcomes() { return kTable; }

}  // namespace crier
