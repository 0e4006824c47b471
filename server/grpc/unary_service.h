// Serves unary methods (service/unary_methods.h) by gRPC.
#ifndef CRIER_SERVER_GRPC_UNARY_SERVICE_H_
#define CRIER_SERVER_GRPC_UNARY_SERVICE_H_

#include "server/grpc/method_table.h"
#include "server/service/unary_methods.h"

namespace crier {

// Adds all that is in `unary`, which outlives the table's use.
void RegisterUnary(const UnaryMethods& unary, MethodTable* methods);

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_UNARY_SERVICE_H_
