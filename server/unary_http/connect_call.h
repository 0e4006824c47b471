// Serves unary methods (service/unary_methods.h) by the Connect protocol, for callers that speak
// HTTP and JSON: what a backend needs to publish.
#ifndef CRIER_SERVER_UNARY_HTTP_CONNECT_CALL_H_
#define CRIER_SERVER_UNARY_HTTP_CONNECT_CALL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "server/engine/shard.h"
#include "server/service/unary_methods.h"
#include "server/unary_http/connect_protocol.h"

namespace crier {

// The answer to a request for a method that is not there. REQUIRES: methods.ServiceOf(path), and
// not methods.Find(path). Thread-safe.
ConnectAnswer NoSuchMethod(const UnaryMethods& methods, std::string_view path);

// A call whose head and body are there.
struct ConnectRequest {
  ConnectFraming framing;
  Caller caller;
  CallFields fields;  // if the method wants them, as the next
  std::string peer = {};
  std::string body;
};

// Makes the call. `done` gets its answer, once, now or later; or never, if `asks` has expired, as
// it does when nobody waits for an answer any more. `max_bytes`: of the request. Runs on: the
// thread of `shard`, as `done` does. `method` outlives the call.
void MakeConnectCall(const UnaryMethod& method, Shard* shard, ConnectRequest request,
                     size_t max_bytes, std::weak_ptr<void> asks,
                     absl::AnyInvocable<void(const ConnectAnswer&)> done);

}  // namespace crier

#endif  // CRIER_SERVER_UNARY_HTTP_CONNECT_CALL_H_
