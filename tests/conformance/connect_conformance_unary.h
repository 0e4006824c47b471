// The unary methods of connectrpc.conformance.v1.ConformanceService, for gRPC and HTTP alike.
#ifndef CRIER_TESTS_CONFORMANCE_CONNECT_CONFORMANCE_UNARY_H_
#define CRIER_TESTS_CONFORMANCE_CONNECT_CONFORMANCE_UNARY_H_

#include <chrono>
#include <optional>
#include <string>

#include "connectrpc/conformance/v1/service.pb.h"
#include "server/service/unary_methods.h"

namespace crier::testing {

void AddConformanceMethods(UnaryMethods* methods);

// What a server says of a request's head, in these words of the suite.
connectrpc::conformance::v1::ConformancePayload::RequestInfo RequestInfoOf(
    const CallFields& fields, std::optional<std::chrono::nanoseconds> timeout);

// The name of a field as HTTP/2 has it.
std::string LowerCase(std::string text);

}  // namespace crier::testing

#endif  // CRIER_TESTS_CONFORMANCE_CONNECT_CONFORMANCE_UNARY_H_
