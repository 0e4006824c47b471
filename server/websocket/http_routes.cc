#include "server/websocket/http_routes.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "server/base/concat.h"
#include "server/base/outcome.h"
#include "server/console/console_page.h"
#include "server/unary_http/connect_call.h"
#include "server/websocket/http_auth.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

// Sixteen bytes in base64 (RFC 6455, section 4.1).
constexpr size_t kWebSocketKeyLength = 24;

// True if the client prefers a page to plain text: browsers name text/html, programs do not.
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

// "/": a page for a browser, the server's name for others.
HttpResponse RootResponse(const HttpRequest& request, const Page& page) {
  if (!WantsPage(request)) {
    HttpResponse response = TextResponse(request, http::status::ok, Concat({kServerProduct, "\n"}));
    response.set(http::field::vary, "Accept");
    return response;
  }
  const bool known =
      View(request[http::field::if_none_match]).find(page.tag) != std::string_view::npos;
  HttpResponse response = known ? TextResponse(request, http::status::not_modified, {}, Page::kType)
                                : TextResponse(request, http::status::ok, page.html, Page::kType);
  // The browser keeps it, and asks each time whether it is still current.
  response.set(http::field::cache_control, "no-cache");
  response.set(http::field::etag, std::string(page.tag));
  response.set(http::field::vary, "Accept");
  response.set("Content-Security-Policy", std::string(page.policy));
  response.set("Referrer-Policy", "no-referrer");
  response.set("X-Frame-Options", "DENY");
  // The length of the page if it were sent (RFC 9110, section 8.6). Zero would be wrong.
  if (known) response.content_length(page.html.size());
  return response;
}

// nullopt if the request is valid, else the answer.
std::optional<HttpAnswer> CheckUpgrade(const HttpRequest& request, const HttpContext& context,
                                       const Target& target, const ForwardedClient& client) {
  const bool asks = http::token_list{request[http::field::connection]}.exists("upgrade") &&
                    http::token_list{request[http::field::upgrade]}.exists("websocket");
  if (!asks || request.version() < 11) {
    HttpAnswer answer =
        Refuse(request, http::status::upgrade_required,
               Concat({target.path,
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
  if (auto refusal = CheckOrigin(request, context, target.host, client)) return std::move(*refusal);
  if (!context.accepting) {
    HttpAnswer answer =
        Refuse(request, http::status::service_unavailable, Info(Outcome::kShutdown).text);
    answer.response.set(http::field::retry_after, "10");
    answer.response.keep_alive(false);
    return answer;
  }
  return std::nullopt;
}

// The user that the URL names. A refusal says why it is no user's name.
std::variant<UserId, Refusal> UserOfQuery(std::string_view query) {
  constexpr std::string_view kKey = "user_id=";
  while (!query.empty()) {
    const auto [pair, others] = Cut(query, "&");
    query = others;
    if (!pair.starts_with(kKey)) continue;
    std::optional<std::string> user = QueryDecode(pair.substr(kKey.size()));
    if (user) return UserId::Admit(std::move(*user));
    return Refusal{Outcome::kInvalidMessage, "user_id is not percent-encoded as a URL has it"};
  }
  return UserId();
}

HttpAnswer Upgrade(const HttpRequest& request, const HttpContext& context, const Target& target,
                   ForwardedClient client, HttpRoute route) {
  if (auto refusal = CheckUpgrade(request, context, target, client)) return std::move(*refusal);
  auto grant = AuthenticateUpgrade(request, context, target.query);
  if (auto* refusal = std::get_if<HttpAnswer>(&grant)) return std::move(*refusal);
  HttpAnswer answer;
  answer.route = route;
  answer.client = std::move(client.address);
  answer.grant = std::move(std::get<std::optional<Grant>>(grant));
  if (context.authenticator != nullptr) {
    // A session can bring its token later. An echo has no frame for that.
    const bool may_bring_later = route == HttpRoute::kSession;
    if (answer.grant || may_bring_later) return answer;
    context.metrics->CountRefused(TokenFault::kMissing);
    return NoTokenAnswer(request);
  }
  auto user = UserOfQuery(target.query);
  if (const auto* refusal = std::get_if<Refusal>(&user)) {
    return Refuse(request, http::status::bad_request, Concat({"in the URL: ", refusal->message}));
  }
  answer.user_id = std::move(std::get<UserId>(user));
  return answer;
}

HttpAnswer AnswerPage(const HttpRequest& request, const HttpContext& context,
                      std::string_view path) {
  if (path == "/healthcheck") return Respond(TextResponse(request, http::status::ok, "ok"));
  if (path == "/metrics") {
    HttpAnswer answer;
    answer.route = HttpRoute::kMetrics;
    return answer;
  }
  if (path == "/readyz") {
    return context.ready ? Respond(TextResponse(request, http::status::ok, "ready"))
                         : Refuse(request, http::status::service_unavailable,
                                  "not ready: the server is starting or draining");
  }
  return Respond(RootResponse(request, context.options.for_admin ? AdminPage() : ConsolePage()));
}

// Where calls are: "calls below /crier.v1.Messaging/".
std::string WhereCallsAre(const UnaryMethods& methods) {
  std::string text = "calls below";
  for (const std::string& service : methods.services()) text += Concat({" /", service, "/"});
  return text;
}

HttpAnswer AnswerCall(const HttpRequest& request, const HttpContext& context, const Target& target,
                      const ForwardedClient& client) {
  if (auto refusal = CheckOrigin(request, context, target.host, client)) return std::move(*refusal);
  if (request.method() == http::verb::options) return PreflightAnswer(request);
  if (request.method() != http::verb::post) {
    HttpAnswer answer = Refuse(request, http::status::method_not_allowed,
                               "a call is a POST with its request as the body");
    answer.response.set(http::field::allow, "POST, OPTIONS");
    return answer;
  }
  if (context.over_limit) {
    return Respond(RefusedConnectionResponse(request, RefusalKind::kTotal));
  }
  const UnaryMethods& methods = *context.methods;
  const UnaryMethod* method = methods.Find(target.path);
  if (method == nullptr) {
    return RefuseCall(request, nullptr, NoSuchMethod(methods, target.path));
  }
  auto framing = ReadConnectHead({.content_type = View(request[http::field::content_type]),
                                  .content_encoding = View(request[http::field::content_encoding]),
                                  .protocol_version = View(request["Connect-Protocol-Version"]),
                                  .timeout_ms = View(request["Connect-Timeout-Ms"])});
  if (const auto* refusal = std::get_if<ConnectAnswer>(&framing)) {
    return RefuseCall(request, method, *refusal);
  }
  if (context.place != nullptr && !context.place->TakeCall(client.address)) {
    return RefuseCall(request, method,
                      AnswerOf(ErrorOf(TooManyCalls(context.place->calls_per_address()))));
  }
  const bool has_token = !BearerTokenOf(View(request[http::field::authorization])).empty();
  auto caller = AdmitCaller(context.authenticator, context.now,
                            {.authorization = View(request[http::field::authorization]),
                             .certificate_user = context.certificate_user,
                             .user_id = View(request["Crier-User-Id"]),
                             .user_id_is_in = "the header Crier-User-Id"},
                            context.metrics);
  if (const auto* refusal = std::get_if<Refusal>(&caller)) {
    HttpAnswer answer = RefuseCall(request, method, AnswerOf(ErrorOf(*refusal)));
    if (Info(refusal->outcome).advice == Advice::kRetryWithToken) {
      answer.response.set(http::field::www_authenticate,
                          ChallengeText(has_token ? refusal->message : ""));
    }
    return answer;
  }
  HttpAnswer answer;
  answer.route = HttpRoute::kCall;
  answer.method = method;
  answer.framing = std::get<ConnectFraming>(framing);
  answer.caller = std::move(std::get<Caller>(caller));
  answer.client = client.address;
  return answer;
}

}  // namespace

HttpAnswer AnswerRequest(const HttpRequest& request, const HttpContext& context) {
  auto read = ReadTarget(request);
  if (auto* refusal = std::get_if<HttpAnswer>(&read)) return std::move(*refusal);
  const Target& target = std::get<Target>(read);
  auto asks = WhoAsks(request, context);
  if (std::holds_alternative<ForwardedConflict>(asks)) {
    return Refuse(
        request, http::status::bad_request,
        "Forwarded and X-Forwarded-For name different clients; the proxy in front of this "
        "server has to remove the one that it does not set");
  }
  ForwardedClient& client = std::get<ForwardedClient>(asks);
  if (auto refusal = CheckHost(request, context, target.host)) return std::move(*refusal);

  const std::string_view path = target.path;
  if (context.methods != nullptr && context.methods->ServiceOf(path) != nullptr) {
    return AnswerCall(request, context, target, client);
  }
  const bool for_admin = context.options.for_admin;
  const bool session = path == "/ws" && !for_admin;
  const bool echo = path == "/echo" && context.options.enable_echo;
  const bool health =
      path == "/healthcheck" || path == "/readyz" || (path == "/metrics" && !for_admin);
  const bool page = path == "/" || health;
  const bool options = request.method() == http::verb::options;
  if (!session && !echo && !page && !(options && path == "*")) {
    return Refuse(
        request, http::status::not_found,
        Concat({"nothing here; there is ",
                for_admin ? "/ (for a browser), /healthcheck, /readyz"
                          : "/ (the console), /ws (WebSocket), /healthcheck, /readyz, /metrics",
                context.methods == nullptr ? ""
                                           : Concat({", and ", WhereCallsAre(*context.methods)})}));
  }
  const bool get = request.method() == http::verb::get;
  if (!get && !(page && request.method() == http::verb::head)) {
    const std::string_view methods = session || echo ? "GET, OPTIONS" : "GET, HEAD, OPTIONS";
    HttpAnswer answer =
        options
            ? Respond(TextResponse(request, http::status::no_content, {}))
            : Refuse(request, http::status::method_not_allowed,
                     Concat({path, " takes ", page ? "GET, HEAD and OPTIONS" : "GET and OPTIONS"}));
    if (options) answer.response.erase(http::field::content_length);
    answer.response.set(http::field::allow, std::string(methods));
    return answer;
  }
  if (context.over_limit && !health) {
    return Respond(RefusedConnectionResponse(request, RefusalKind::kTotal));
  }
  if (session) return Upgrade(request, context, target, std::move(client), HttpRoute::kSession);
  if (echo) return Upgrade(request, context, target, std::move(client), HttpRoute::kEcho);
  return AnswerPage(request, context, path);
}

}  // namespace crier
