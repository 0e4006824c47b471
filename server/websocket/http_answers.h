// What is answered to a request by HTTP: responses, ready to be sent.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_HTTP_ANSWERS_H_
#define CRIER_SERVER_WEBSOCKET_HTTP_ANSWERS_H_

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "server/auth/authenticator.h"
#include "server/engine/gate.h"
#include "server/metrics/metrics.h"
#include "server/service/unary_methods.h"
#include "server/unary_http/connect_protocol.h"

namespace crier {

using HttpRequest = boost::beast::http::request<boost::beast::http::empty_body>;
using HttpResponse = boost::beast::http::response<boost::beast::http::string_body>;

inline constexpr std::string_view kServerProduct = "crier/" CRIER_VERSION;
inline constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

inline std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

enum class HttpRoute {
  kRespond,  // send `response`
  kMetrics,  // send MetricsResponse
  kCall,     // read the body, make the call (MakeConnectCall), send CallResponse
  kSession,  // upgrade to a session of `user_id`
  kEcho,     // upgrade to an echo
};

struct HttpAnswer {
  HttpRoute route = HttpRoute::kRespond;
  HttpResponse response;
  UserId user_id;
  std::optional<Grant> grant;   // of a session (SessionOptions::grant)
  std::string client;           // the address of who asked, behind trusted proxies
  bool origin_refused = false;  // `response` says so
  // `response` refuses a call with this code of gRPC, which is to be counted; 0: it does not.
  int refused_code = 0;
  // Of a call; null: there is no such method.
  const UnaryMethod* method = nullptr;
  ConnectFraming framing;
  Caller caller;
};

// To a request, with the headers that every answer has. The body is left out where it was a HEAD.
HttpResponse TextResponse(const HttpRequest& request, boost::beast::http::status status,
                          std::string_view body, std::string_view content_type = kPlainText);
HttpAnswer Respond(HttpResponse response);
// A line of text that says what is wrong and what would be right.
HttpAnswer Refuse(const HttpRequest& request, boost::beast::http::status status,
                  std::string_view text);

// The answer to a request for /metrics. `text`: null: it could not be written.
HttpResponse MetricsResponse(const HttpRequest& request, const std::string* text);

// The answer to a call. A page of another origin, which was allowed to make it, may read it.
HttpResponse CallResponse(const HttpRequest& request, const ConnectAnswer& answer);
// The same for a call that is refused before it is made. `method`: null: there is none.
HttpAnswer RefuseCall(const HttpRequest& request, const UnaryMethod* method,
                      const ConnectAnswer& answer);

// A response in plain text that says what is wrong and closes the connection, for what is not even
// a request.
HttpResponse BadRequestResponse(boost::beast::http::status status, std::string_view text);

// For a connection that is refused: 503, or 429 where connections come too fast, with Retry-After
// and the reason in words (TextOf). All of its bytes, for one that nothing was read from; or the
// answer to a request of one that came through a proxy, or that may ask how the server is and has
// asked for more.
std::string RefusedConnectionBytes(RefusalKind why);
HttpResponse RefusedConnectionResponse(const HttpRequest& request, RefusalKind why);

// What the fetch standard asks of a server for pages of other origins ("CORS protocol"). The origin
// was allowed before.
void AllowPage(const HttpRequest& request, HttpResponse* response);
// The answer to a page that asks whether it may make a call.
HttpAnswer PreflightAnswer(const HttpRequest& request);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HTTP_ANSWERS_H_
