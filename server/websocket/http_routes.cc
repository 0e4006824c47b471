#include "server/websocket/http_routes.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <charconv>

#include "server/base/outcome.h"
#include "server/base/concat.h"
#include "server/codec/utf8.h"
#include "server/console/console_page.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
// docs of Prometheus, "Exposition formats".
constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";
constexpr size_t kMaxUserIdBytes = 255;
// Sixteen bytes in base64 (RFC 6455, section 4.1).
constexpr size_t kWebSocketKeyLength = 24;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

HttpResponse TextResponse(const HttpRequest& request, http::status status, std::string_view body,
                          std::string_view content_type = kPlainText) {
  HttpResponse response(status, request.version());
  response.set(http::field::server, std::string(kServerProduct));
  response.set(http::field::content_type, std::string(content_type));
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  response.keep_alive(request.keep_alive());
  response.content_length(body.size());
  if (request.method() != http::verb::head) response.body() = body;
  return response;
}

HttpAnswer Respond(HttpResponse response) {
  HttpAnswer answer;
  answer.response = std::move(response);
  return answer;
}

HttpAnswer Refuse(const HttpRequest& request, http::status status, std::string_view text) {
  return Respond(TextResponse(request, status, Concat({text, "\n"})));
}

// Cuts `text` in two at the first `separator`; without one, all of it is the first part.
std::pair<std::string_view, std::string_view> Cut(std::string_view text,
                                                  std::string_view separator) {
  const size_t at = text.find(separator);
  if (at == text.npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + separator.size())};
}

// A Host header, or an origin's part behind "://", without its scheme's own port.
std::string_view WithoutDefaultPort(std::string_view authority, std::string_view scheme) {
  const std::string_view port = boost::beast::iequals(scheme, "https") ? ":443" : ":80";
  if (authority.ends_with(port)) authority.remove_suffix(port.size());
  return authority;
}

// True where the client would rather have a page than plain text: browsers name it, programs do
// not.
bool WantsPage(const HttpRequest& request) {
  std::string_view accept = View(request[http::field::accept]);
  while (!accept.empty()) {
    const auto [range, others] = Cut(accept, ",");
    accept = others;
    std::string_view type = Cut(range, ";").first;
    while (type.starts_with(' ')) type.remove_prefix(1);
    while (type.ends_with(' ')) type.remove_suffix(1);
    if (boost::beast::iequals(type, "text/html")) return true;
  }
  return false;
}

// "/": the console for a browser, the server's name for others.
HttpResponse RootResponse(const HttpRequest& request) {
  if (!WantsPage(request)) {
    HttpResponse response = TextResponse(request, http::status::ok, Concat({kServerProduct, "\n"}));
    response.set(http::field::vary, "Accept");
    return response;
  }
  const std::string_view tag = ConsolePageTag();
  const bool known = View(request[http::field::if_none_match]).find(tag) != std::string_view::npos;
  HttpResponse response =
      known ? TextResponse(request, http::status::not_modified, {}, kConsolePageType)
            : TextResponse(request, http::status::ok, ConsolePageHtml(), kConsolePageType);
  // Kept, and asked for each time whether it is still the same.
  response.set(http::field::cache_control, "no-cache");
  response.set(http::field::etag, std::string(tag));
  response.set(http::field::vary, "Accept");
  response.set("Content-Security-Policy", std::string(ConsolePagePolicy()));
  response.set("Referrer-Policy", "no-referrer");
  response.set("X-Frame-Options", "DENY");
  // Of the page, were it sent (RFC 9110, section 8.6); zero would be wrong.
  if (known) response.content_length(ConsolePageHtml().size());
  return response;
}

// nullopt where the request is right; else what to answer.
std::optional<HttpAnswer> CheckUpgrade(const HttpRequest& request, const HttpContext& context,
                                       std::string_view path) {
  const bool asks = http::token_list{request[http::field::connection]}.exists("upgrade") &&
                    http::token_list{request[http::field::upgrade]}.exists("websocket");
  if (!asks || request.version() < 11) {
    HttpAnswer answer =
        Refuse(request, http::status::upgrade_required,
               Concat({path,
                       " speaks WebSocket: connect with a WebSocket client, which sends "
                       "\"Upgrade: websocket\" and \"Connection: Upgrade\" in HTTP/1.1"}));
    answer.response.set(http::field::upgrade, "websocket");
    answer.response.set(http::field::connection, "Upgrade");
    return answer;
  }
  if (request[http::field::sec_websocket_version] != "13") {
    HttpAnswer answer = Refuse(request, http::status::upgrade_required,
                               "only WebSocket version 13 (RFC 6455) is spoken here: send "
                               "\"Sec-WebSocket-Version: 13\"");
    answer.response.set(http::field::sec_websocket_version, "13");
    answer.response.set(http::field::upgrade, "websocket");
    answer.response.set(http::field::connection, "Upgrade");
    return answer;
  }
  if (request[http::field::sec_websocket_key].size() != kWebSocketKeyLength) {
    return Refuse(request, http::status::bad_request,
                  "Sec-WebSocket-Key has to be 16 bytes in base64 (24 characters)");
  }
  if (request.count(http::field::host) == 0) {
    return Refuse(request, http::status::bad_request, "a request needs a Host header");
  }
  if (!OriginAllowed(request, context.options)) {
    return Refuse(request, http::status::forbidden,
                  Concat({"pages of ", View(request[http::field::origin]),
                          " may not connect here; the server's flag --allowed_origins says "
                          "which may"}));
  }
  if (!context.accepting) {
    HttpAnswer answer =
        Refuse(request, http::status::service_unavailable, Info(Outcome::kShutdown).text);
    answer.response.set(http::field::retry_after, "10");
    answer.response.keep_alive(false);
    return answer;
  }
  return std::nullopt;
}

// The user that the URL names. nullopt: it is no user's name, and *problem says why.
std::optional<std::string> UserOfQuery(std::string_view query, std::string_view* problem) {
  constexpr std::string_view kKey = "user_id=";
  while (!query.empty()) {
    const auto [pair, others] = Cut(query, "&");
    query = others;
    if (!pair.starts_with(kKey)) continue;
    std::optional<std::string> user = PercentDecode(pair.substr(kKey.size()));
    if (!user || FirstInvalidUtf8(*user) != user->size()) {
      *problem = "user_id in the URL has to be UTF-8, percent-encoded";
      return std::nullopt;
    }
    if (user->size() > kMaxUserIdBytes) {
      *problem = "user_id in the URL may be at most 255 bytes long";
      return std::nullopt;
    }
    return user;
  }
  return std::string();
}

HttpAnswer Upgrade(const HttpRequest& request, const HttpContext& context, std::string_view path,
                   std::string_view query, HttpRoute route) {
  if (auto refusal = CheckUpgrade(request, context, path)) return std::move(*refusal);
  std::string_view problem;
  std::optional<std::string> user = UserOfQuery(query, &problem);
  if (!user) return Refuse(request, http::status::bad_request, problem);
  HttpAnswer answer;
  answer.route = route;
  answer.user_id = std::move(*user);
  return answer;
}

}  // namespace

HttpAnswer AnswerRequest(const HttpRequest& request, const HttpContext& context) {
  const auto [path, query] = Cut(View(request.target()), "?");
  const bool session = path == "/ws";
  const bool echo = path == "/echo" && context.options.enable_echo;
  const bool page =
      path == "/" || path == "/healthcheck" || path == "/readyz" || path == "/metrics";
  if (!session && !echo && !page) {
    return Refuse(
        request, http::status::not_found,
        "nothing here; there is / (the console), /ws (WebSocket), /healthcheck, /readyz and "
        "/metrics");
  }
  const bool get = request.method() == http::verb::get;
  if (!get && !(page && request.method() == http::verb::head)) {
    HttpAnswer answer = Refuse(request, http::status::method_not_allowed,
                               Concat({path, " takes ", page ? "GET and HEAD" : "GET"}));
    answer.response.set(http::field::allow, page ? "GET, HEAD" : "GET");
    return answer;
  }
  if (session) return Upgrade(request, context, path, query, HttpRoute::kSession);
  if (echo) return Upgrade(request, context, path, query, HttpRoute::kEcho);
  if (path == "/healthcheck") return Respond(TextResponse(request, http::status::ok, "ok"));
  if (path == "/metrics") {
    return Respond(
        TextResponse(request, http::status::ok, context.metrics_text(), kPrometheusText));
  }
  if (path == "/readyz") {
    return context.ready ? Respond(TextResponse(request, http::status::ok, "ready"))
                         : Refuse(request, http::status::service_unavailable,
                                  "not ready: the server is starting or draining");
  }
  return Respond(RootResponse(request));
}

HttpResponse BadRequestResponse(http::status status, std::string_view text) {
  HttpRequest request;
  request.version(11);
  HttpResponse response = TextResponse(request, status, Concat({text, "\n"}));
  response.keep_alive(false);
  return response;
}

std::string_view TooManySessionsResponse() {
  return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Length: 49\r\nRetry-After: 10\r\nConnection: close\r\n\r\n"
         "the server holds as many connections as it may.\r\n";
}

bool OriginAllowed(const HttpRequest& request, const WebSocketOptions& options) {
  const auto header = request.find(http::field::origin);
  if (header == request.end()) return true;
  const std::string_view origin = View(header->value());
  for (const std::string& allowed : options.allowed_origins) {
    if (allowed == "*" || boost::beast::iequals(allowed, origin)) return true;
  }
  const auto [scheme, authority] = Cut(origin, "://");
  return !authority.empty() &&
         boost::beast::iequals(WithoutDefaultPort(authority, scheme),
                               WithoutDefaultPort(View(request[http::field::host]), scheme));
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value, 16);
    if (error != std::errc() || digits.size() != 2 || end != digits.end()) return std::nullopt;
    decoded += static_cast<char>(value);
    i += digits.size();
  }
  return decoded;
}

}  // namespace crier
