// Who a request's client is, as its token says (docs/auth.md, "Giving a token").
//
// Runs on: the thread of HttpContext::metrics, AuthenticateUpgrade; the others are thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_HTTP_AUTH_H_
#define CRIER_SERVER_WEBSOCKET_HTTP_AUTH_H_

#include <optional>
#include <string_view>
#include <variant>

#include "server/auth/authenticator.h"
#include "server/websocket/http_answers.h"
#include "server/websocket/http_checks.h"

namespace crier {

// What the token of a request for a WebSocket grants: in the header Authorization, as access_token
// in the query, or in a subprotocol "crier.bearer.TOKEN". A refusal (401, or 400 where there is
// more than one), if it is a wrong one. nullopt: clients are not authenticated; or there is no
// token, and without one nobody may do anything (Authenticator::Anonymous).
std::variant<std::optional<Grant>, HttpAnswer> AuthenticateUpgrade(const HttpRequest& request,
                                                                   const HttpContext& context,
                                                                   std::string_view query);

// 401 for a request that needs a token and has none.
HttpAnswer NoTokenAnswer(const HttpRequest& request);

// The value of WWW-Authenticate with this refusal (RFC 6750, section 3); empty: there was no token.
std::string ChallengeText(std::string_view refusal);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HTTP_AUTH_H_
