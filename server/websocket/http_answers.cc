#include "server/websocket/http_answers.h"

#include <utility>

#include "server/base/concat.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

// See "Exposition formats" in Prometheus's documentation.
constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse TooManyResponse(const HttpRequest& request, std::string_view text) {
  HttpResponse response =
      TextResponse(request, http::status::service_unavailable, Concat({text, "\n"}));
  response.set(http::field::retry_after, "10");
  response.keep_alive(false);
  return response;
}

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

std::string_view TooManySessionsResponse() {
  return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Length: 50\r\nRetry-After: 10\r\nConnection: close\r\n\r\n"
         "the server has reached its limit of connections.\r\n";
}

HttpResponse TooManyFromAddressResponse(const HttpRequest& request) {
  return TooManyResponse(request,
                         "the server has reached its limit of connections from one address");
}

HttpResponse TooManyConnectionsResponse(const HttpRequest& request) {
  return TooManyResponse(request, "the server has reached its limit of connections");
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
