// Turns outcomes into gRPC statuses, and says how a status is written on the wire.
#ifndef CRIER_SERVER_GRPC_STATUS_H_
#define CRIER_SERVER_GRPC_STATUS_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/outcome.h"
#include "server/service/unary_error.h"

namespace crier {

// The codes that this folder uses besides those of the outcome table (gRPC's doc/statuscodes.md).
enum class GrpcCode : int {
  kOk = 0,
  kCancelled = 1,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
};

// How a call ends.
struct GrpcStatus {
  int code = 0;
  std::string message;  // for people
  std::string details;  // a serialized google.rpc.Status, or empty
  // When the client should try again (gRPC's proposal A6: grpc-retry-pushback-ms); nullopt: the
  // status says nothing of it.
  std::optional<std::chrono::milliseconds> retry_after;

  GrpcStatus() = default;
  GrpcStatus(GrpcCode grpc_code, std::string text)
      : code(static_cast<int>(grpc_code)), message(std::move(text)) {}
  bool ok() const { return code == 0; }
};

// Its details, if there are any, are in a google.rpc.Status. Thread-safe.
GrpcStatus ToGrpcStatus(const UnaryError& error);
// The same from the outcome table (ErrorOf). Thread-safe.
GrpcStatus ToGrpcStatus(Outcome outcome, std::string_view detail = {});

// The value of grpc-message. % and everything that is not printable ASCII are written as %XX
// (gRPC's doc/PROTOCOL-HTTP2.md, "Percent-Encoded").
std::string PercentEncoded(std::string_view text);

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_STATUS_H_
