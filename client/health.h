// Asks a server whether it is healthy, without opening a session.
#ifndef CRIER_CLIENT_HEALTH_H_
#define CRIER_CLIENT_HEALTH_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "client/client.h"

namespace crier::client {

// GET /healthcheck at the host of a WebSocket's URL (ws:// or wss://HOST:PORT/ws). A server that
// has reached its limit of connections answers 503, and one to which too many come in a second 429;
// both count as healthy.
//
// Errors: INVALID_ARGUMENT for the URL, UNAVAILABLE if nothing answers in time,
// FAILED_PRECONDITION for any other answer.
absl::Status CheckHttpHealth(std::string_view url, const ConnectOptions& options);

// grpc.health.v1.Health/Check at HOST:PORT, for the server as a whole. A draining server is not
// healthy. A full server looks the same as one that is gone.
//
// Errors: INVALID_ARGUMENT for the address, UNAVAILABLE and FAILED_PRECONDITION as above.
absl::Status CheckGrpcHealth(const std::string& address, const ConnectOptions& options);

}  // namespace crier::client

#endif  // CRIER_CLIENT_HEALTH_H_
