// Outcomes as gRPC statuses, and how a status is written on the wire.
#ifndef CRIER_SERVER_GRPC_STATUS_H_
#define CRIER_SERVER_GRPC_STATUS_H_

#include <string>
#include <string_view>

#include "server/base/outcome.h"

namespace crier {

// The codes that this folder gives besides those of the outcome table (gRPC's doc/statuscodes.md).
enum class GrpcCode : int {
  kOk = 0,
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

  GrpcStatus() = default;
  GrpcStatus(GrpcCode grpc_code, std::string text)
      : code(static_cast<int>(grpc_code)), message(std::move(text)) {}
  bool ok() const { return code == 0; }
};

// The status of the outcome table, with a google.rpc.Status in its details that carries a
// google.rpc.ErrorInfo: reason = the outcome's name, domain = "crier". `detail` is for people;
// empty: the outcome's own text. Thread-safe.
GrpcStatus ToGrpcStatus(Outcome outcome, std::string_view detail = {});

// The value of grpc-message: what is not printable ASCII, and %, as %XX (gRPC's
// doc/PROTOCOL-HTTP2.md, "Percent-Encoded").
std::string PercentEncoded(std::string_view text);

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_STATUS_H_
