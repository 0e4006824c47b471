#include "server/service/unary_call.h"

namespace crier {

void UnaryCall::FailInternal() noexcept {
  if (!NoThrow(&shard_.metrics().handler_exceptions, "a unary call's end",
               [this] { Fail(Outcome::kInternal); })) {
    CutOff();
  }
}

}  // namespace crier
