// Outcomes as gRPC statuses.
#ifndef CRIER_SERVER_GRPC_STATUS_H_
#define CRIER_SERVER_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string_view>

#include "server/base/outcome.h"

namespace crier {

// The status of the outcome table, with a google.rpc.Status in its details that carries a
// google.rpc.ErrorInfo: reason = the outcome's name, domain = "crier". `detail` is for people;
// empty: the outcome's own text. Thread-safe.
grpc::Status ToGrpcStatus(Outcome outcome, std::string_view detail = {});

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_STATUS_H_
