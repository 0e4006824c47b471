// The value of grpc-timeout (gRPC's doc/PROTOCOL-HTTP2.md). A pure function: thread-safe.
#ifndef CRIER_SERVER_GRPC_TIMEOUT_H_
#define CRIER_SERVER_GRPC_TIMEOUT_H_

#include <chrono>
#include <optional>
#include <string_view>

namespace crier {

// At most eight digits and a unit. nullopt: it is of another form. More than a hundred years are a
// hundred years.
std::optional<std::chrono::nanoseconds> ParseGrpcTimeout(std::string_view text);

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_TIMEOUT_H_
