// What is served on the WebSocket's port: which request gets which answer, and which one becomes a
// WebSocket (docs/protocol.md, "HTTP, on the WebSocket's port").
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_HTTP_ROUTES_H_
#define CRIER_SERVER_WEBSOCKET_HTTP_ROUTES_H_

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "server/websocket/options.h"

namespace crier {

using HttpRequest = boost::beast::http::request<boost::beast::http::empty_body>;
using HttpResponse = boost::beast::http::response<boost::beast::http::string_body>;

inline constexpr std::string_view kServerProduct = "crier/" CRIER_VERSION;

// What an answer depends on besides the request.
struct HttpContext {
  const WebSocketOptions& options;
  bool ready;      // /readyz
  bool accepting;  // false: no new session any more
  absl::FunctionRef<std::string()> metrics_text;
};

enum class HttpRoute {
  kRespond,  // send `response`
  kSession,  // upgrade to a session of `user_id`
  kEcho,     // upgrade to an echo
};

struct HttpAnswer {
  HttpRoute route = HttpRoute::kRespond;
  HttpResponse response;
  std::string user_id;
};

HttpAnswer AnswerRequest(const HttpRequest& request, const HttpContext& context);

// A response in plain text that says what is wrong and closes the connection, for what is not even
// a request.
HttpResponse BadRequestResponse(boost::beast::http::status status, std::string_view text);

// A whole HTTP 503, for a connection over the server's limit.
std::string_view TooManySessionsResponse();

// True where a browser's page of this origin may connect: none is named, it is the requested host
// itself, or it is on the list. "https://a:443" and the host "a" are the same.
bool OriginAllowed(const HttpRequest& request, const WebSocketOptions& options);

// Replaces %41 and the like; nullopt where an escape is broken.
std::optional<std::string> PercentDecode(std::string_view text);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HTTP_ROUTES_H_
