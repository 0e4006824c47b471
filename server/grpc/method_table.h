// Which handler serves which method.
#ifndef CRIER_SERVER_GRPC_METHOD_TABLE_H_
#define CRIER_SERVER_GRPC_METHOD_TABLE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/string_map.h"
#include "server/grpc/call.h"
#include "server/metrics/metrics.h"

namespace crier {

// Filled before the server starts. Thread-safe from then on.
class MethodTable {
 public:
  // Makes the handler of a call that begins; or finishes the call, and returns null. Runs on: the
  // call's shard thread.
  using Start = std::function<std::unique_ptr<CallHandler>(Call* call)>;

  struct Method {
    Start start;
    GrpcMethod metric = GrpcMethod::kUnknown;
  };

  // `path`: "/package.Service/Method".
  void Add(std::string path, Start start) {
    const GrpcMethod metric = GrpcMethodOf(path);
    methods_.insert_or_assign(std::move(path), Method{std::move(start), metric});
  }

  // Null: there is no such method.
  const Method* Find(std::string_view path) const {
    const auto it = methods_.find(path);
    return it == methods_.end() ? nullptr : &it->second;
  }

 private:
  StringMap<Method> methods_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_METHOD_TABLE_H_
