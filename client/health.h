// Asks a server whether it is well, without becoming a session.
#ifndef CRIER_CLIENT_HEALTH_H_
#define CRIER_CLIENT_HEALTH_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace crier::client {

// GET /healthcheck at the host of a WebSocket's URL (ws://HOST:PORT/ws). A server that holds as
// many connections as it may answers 503, and is well.
//
// Errors: INVALID_ARGUMENT for the URL, UNAVAILABLE where nobody answers within `timeout`,
// FAILED_PRECONDITION for any other answer.
absl::Status CheckHttpHealth(std::string_view url, absl::Duration timeout);

// grpc.health.v1.Health/Check at HOST:PORT, for the server as a whole. A draining server is not
// well; a full one cannot be told from one that is gone.
//
// Errors: UNAVAILABLE and FAILED_PRECONDITION as above.
absl::Status CheckGrpcHealth(const std::string& address, absl::Duration timeout);

}  // namespace crier::client

#endif  // CRIER_CLIENT_HEALTH_H_
