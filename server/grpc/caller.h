// Who makes a gRPC call, as its metadata say.
#ifndef CRIER_SERVER_GRPC_CALLER_H_
#define CRIER_SERVER_GRPC_CALLER_H_

#include <optional>

#include "server/grpc/call.h"
#include "server/service/caller.h"

namespace crier {

// Of a call that begins. `token`: whether one may yet come. nullopt: the metadata are no good, or
// too many come in a second, and the call was finished. Runs on: the call's shard thread.
std::optional<Caller> CallerOf(Call* call, TokenTime token = TokenTime::kNow);

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_CALLER_H_
