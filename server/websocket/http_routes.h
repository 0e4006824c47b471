// The routes of the WebSocket's port: decides which answer a request gets, and which request
// becomes a WebSocket (docs/protocol.md, "HTTP, on the same port").
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_HTTP_ROUTES_H_
#define CRIER_SERVER_WEBSOCKET_HTTP_ROUTES_H_

#include "server/websocket/http_answers.h"
#include "server/websocket/http_checks.h"

namespace crier {

HttpAnswer AnswerRequest(const HttpRequest& request, const HttpContext& context);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HTTP_ROUTES_H_
