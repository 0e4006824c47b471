// Who makes a call. gRPC's metadata and the headers of HTTP are read by their surfaces; what they
// say of the caller ends up here, and methods read nothing else.
#ifndef CRIER_SERVER_SERVICE_CALLER_H_
#define CRIER_SERVER_SERVICE_CALLER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/auth/authenticator.h"
#include "server/engine/gate.h"
#include "server/metrics/metrics.h"

namespace crier {

struct Caller {
  UserId user_id;  // empty: nobody
  // What it may do. nullopt: clients are not authenticated, and it may do everything; or it is a
  // session's, which brings its token later (SessionOptions::grant).
  std::optional<Grant> grant = {};

  // For the engine, which takes a null pointer where everything is allowed.
  const Grant* grant_or_null() const { return grant ? &*grant : nullptr; }
};

// What a request says of its caller.
struct CallerFields {
  std::string_view authorization;     // the value of Authorization; empty: none
  std::string_view certificate_user;  // of TLS; empty: none
  std::string_view user_id;           // means nothing where clients are authenticated
  // Where that was said, for a refusal's text: "the metadata crier-user-id".
  std::string_view user_id_is_in;
};

// When a token has to be there, where clients without one may do nothing.
enum class TokenTime { kNow, kLater };

// A refusal, if the user is none, or the token is wrong or missing; that is counted in *metrics.
// `authenticator`: null: clients are not authenticated. `now`: seconds since 1970. Runs on: the
// thread of `metrics`.
std::variant<Caller, Refusal> AdmitCaller(const Authenticator* authenticator, int64_t now,
                                          const CallerFields& fields, ShardMetrics* metrics,
                                          TokenTime token = TokenTime::kNow);

// For a caller whose address has made more calls in a second than it may, which is so many.
Refusal TooManyCalls(uint32_t most);

}  // namespace crier

#endif  // CRIER_SERVER_SERVICE_CALLER_H_
