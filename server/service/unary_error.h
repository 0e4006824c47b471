// How a unary call ends without a response. Each surface writes it in its protocol's form.
//
// Thread-safe.
#ifndef CRIER_SERVER_SERVICE_UNARY_ERROR_H_
#define CRIER_SERVER_SERVICE_UNARY_ERROR_H_

#include <google/protobuf/any.pb.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/outcome.h"
#include "server/engine/gate.h"

namespace crier {

struct UnaryError {
  int code = 0;         // gRPC's (its doc/statuscodes.md), 1 to 16
  std::string message;  // for people; UTF-8
  std::vector<google::protobuf::Any> details = {};
  // When the caller should try again; nullopt: the error says nothing of it.
  std::optional<std::chrono::milliseconds> retry_after = {};
};

// From the outcome table. Its detail is a google.rpc.ErrorInfo: reason = the outcome's name, domain
// = "crier", and the metadata "advice" where there is one, with "retry_after_ms" where that is to
// wait: the next of the slots that calls without a session have in turn. `detail` is for people;
// empty: the outcome's own text. REQUIRES: not kOk.
UnaryError ErrorOf(Outcome outcome, std::string_view detail = {});
// The same with a session's advice.
UnaryError ErrorOf(Outcome outcome, std::string_view detail, Advice advice,
                   std::optional<std::chrono::milliseconds> retry_after);
UnaryError ErrorOf(const Refusal& refusal);

}  // namespace crier

#endif  // CRIER_SERVER_SERVICE_UNARY_ERROR_H_
