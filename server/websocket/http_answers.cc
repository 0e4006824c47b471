#include "server/websocket/http_answers.h"

#include <chrono>
#include <string>
#include <utility>

#include "server/base/concat.h"
#include "server/net/connection_table.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

// See "Exposition formats" in Prometheus's documentation.
constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

// In seconds. Where connections come too fast, an address that waits may begin anew after this long
// (TokenBucket).
constexpr std::string_view kRetryAfterLimit = "10";
constexpr std::string_view kRetryAfterRate = "5";
static_assert(TokenBucket::kBurst == std::chrono::seconds(5));

bool IsRate(RefusalKind why) { return OutcomeOf(why) == Outcome::kRateLimited; }

}  // namespace

HttpResponse TextResponse(const HttpRequest& request, http::status status, std::string_view body,
                          std::string_view content_type) {
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

HttpResponse CallResponse(const HttpRequest& request, const ConnectAnswer& answer) {
  HttpResponse response =
      TextResponse(request, http::int_to_status(answer.status), answer.body, answer.content_type);
  response.result(answer.status);
  AllowPage(request, &response);
  // There may be several of one name.
  for (const auto& [name, value] : answer.headers) response.insert(name, value);
  return response;
}

HttpAnswer RefuseCall(const HttpRequest& request, const UnaryMethod* method,
                      const ConnectAnswer& answer) {
  HttpAnswer refusal = Respond(CallResponse(request, answer));
  refusal.method = method;
  refusal.refused_code = answer.code;
  return refusal;
}

HttpResponse MetricsResponse(const HttpRequest& request, const std::string* text) {
  if (text != nullptr) {
    return TextResponse(request, http::status::ok, *text, kPrometheusText);
  }
  return TextResponse(request, http::status::internal_server_error,
                      "the metrics could not be written; the server's log says why\n");
}

HttpResponse BadRequestResponse(http::status status, std::string_view text) {
  HttpRequest request;
  request.version(11);
  HttpResponse response = TextResponse(request, status, Concat({text, "\n"}));
  response.keep_alive(false);
  return response;
}

std::string RefusedConnectionBytes(RefusalKind why) {
  const std::string_view text = TextOf(why);
  return Concat({"HTTP/1.1 ", IsRate(why) ? "429 Too Many Requests" : "503 Service Unavailable",
                 "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ",
                 std::to_string(text.size() + 1),
                 "\r\nRetry-After: ", IsRate(why) ? kRetryAfterRate : kRetryAfterLimit,
                 "\r\nConnection: close\r\n\r\n", text, "\n"});
}

HttpResponse RefusedConnectionResponse(const HttpRequest& request, RefusalKind why) {
  HttpResponse response = TextResponse(
      request, IsRate(why) ? http::status::too_many_requests : http::status::service_unavailable,
      Concat({TextOf(why), "\n"}));
  response.set(http::field::retry_after,
               std::string(IsRate(why) ? kRetryAfterRate : kRetryAfterLimit));
  response.keep_alive(false);
  return response;
}

void AllowPage(const HttpRequest& request, HttpResponse* response) {
  response->set(http::field::vary, "Origin");
  const auto origin = request.find(http::field::origin);
  if (origin == request.end()) return;
  response->set(http::field::access_control_allow_origin, origin->value());
}

HttpAnswer PreflightAnswer(const HttpRequest& request) {
  HttpAnswer answer = Respond(TextResponse(request, http::status::no_content, {}));
  HttpResponse& response = answer.response;
  response.erase(http::field::content_length);
  response.set(http::field::allow, "POST, OPTIONS");
  AllowPage(request, &response);
  response.set(http::field::access_control_allow_methods, "POST");
  response.set(http::field::access_control_allow_headers,
               "Content-Type, Content-Encoding, Connect-Protocol-Version, Connect-Timeout-Ms, "
               "Authorization, Crier-User-Id");
  // Two hours, the longest that Chromium keeps it.
  response.set(http::field::access_control_max_age, "7200");
  return answer;
}

}  // namespace crier
