#include "server/websocket/http_auth.h"

#include <boost/beast/http/rfc7230.hpp>
#include <string>
#include <utility>
#include <vector>

#include "server/base/concat.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

constexpr std::string_view kQueryKey = "access_token=";
constexpr std::string_view kSubprotocol = "crier.bearer.";
constexpr std::string_view kNoToken =
    "this server asks for a token: in the header Authorization (Bearer TOKEN), or for a WebSocket "
    "as "
    "access_token in the URL, as the subprotocol crier.bearer.TOKEN or in the first frame";

void AddFromHeaders(const HttpRequest& request, std::vector<std::string>* tokens) {
  const auto [begin, end] = request.equal_range(http::field::authorization);
  for (auto header = begin; header != end; ++header) {
    const std::string_view token = BearerTokenOf(View(header->value()));
    if (!token.empty()) tokens->emplace_back(token);
  }
}

void AddFromSubprotocols(const HttpRequest& request, std::vector<std::string>* tokens) {
  const auto [begin, end] = request.equal_range(http::field::sec_websocket_protocol);
  for (auto header = begin; header != end; ++header) {
    for (const auto& offered : http::token_list(header->value())) {
      const std::string_view name(offered.data(), offered.size());
      if (name.starts_with(kSubprotocol)) tokens->emplace_back(name.substr(kSubprotocol.size()));
    }
  }
}

void AddFromQuery(std::string_view query, std::vector<std::string>* tokens) {
  while (!query.empty()) {
    const auto [pair, others] = Cut(query, "&");
    query = others;
    if (!pair.starts_with(kQueryKey)) continue;
    // What is not encoded well is no token either, and is refused as one.
    tokens->push_back(QueryDecode(pair.substr(kQueryKey.size())).value_or("%"));
  }
}

HttpAnswer Unauthorized(const HttpRequest& request, std::string_view text,
                        std::string_view refusal) {
  HttpAnswer answer = Refuse(request, http::status::unauthorized, text);
  answer.response.set(http::field::www_authenticate, ChallengeText(refusal));
  return answer;
}

}  // namespace

std::string ChallengeText(std::string_view refusal) {
  std::string text = "Bearer realm=\"crier\"";
  if (refusal.empty()) return text;
  text += ", error=\"invalid_token\", error_description=\"";
  for (const char c : refusal) {
    const bool allowed = c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
    text += allowed ? c : '\'';
  }
  return text + "\"";
}

HttpAnswer NoTokenAnswer(const HttpRequest& request) { return Unauthorized(request, kNoToken, {}); }

std::variant<std::optional<Grant>, HttpAnswer> AuthenticateUpgrade(const HttpRequest& request,
                                                                   const HttpContext& context,
                                                                   std::string_view query) {
  if (context.authenticator == nullptr) return std::optional<Grant>();
  std::vector<std::string> tokens;
  AddFromHeaders(request, &tokens);
  AddFromQuery(query, &tokens);
  AddFromSubprotocols(request, &tokens);
  if (tokens.empty()) {
    auto grant = context.authenticator->OfCertificate(context.certificate_user);
    return grant ? std::move(grant) : context.authenticator->Anonymous();
  }
  if (tokens.size() > 1) {
    context.metrics->CountRefused(TokenFault::kTooMany);
    return Refuse(request, http::status::bad_request, "a request has one token, and not several");
  }
  auto verified = context.authenticator->Verify(tokens.front(), context.now);
  if (const auto* refusal = std::get_if<TokenRefusal>(&verified)) {
    context.metrics->CountRefused(refusal->fault);
    return Unauthorized(request, refusal->message, refusal->message);
  }
  return std::optional<Grant>(std::move(std::get<Grant>(verified)));
}

}  // namespace crier
