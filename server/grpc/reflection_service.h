// grpc.reflection.v1.ServerReflection, and v1alpha, which is the same under its older name.
#ifndef CRIER_SERVER_GRPC_REFLECTION_SERVICE_H_
#define CRIER_SERVER_GRPC_REFLECTION_SERVICE_H_

#include <string>
#include <vector>

#include "server/grpc/method_table.h"

namespace crier {

// Describes the types that are linked into the program. `services`: the full names of the services
// served, without reflection itself.
void RegisterReflection(std::vector<std::string> services, MethodTable* methods);

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_REFLECTION_SERVICE_H_
