#include "server/websocket/http_checks.h"

#include <charconv>
#include <tuple>

#include "server/base/concat.h"
#include "server/net/origin_rules.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

// All fields of this name, as one list.
template <typename Name>
std::string Joined(const HttpRequest& request, Name name) {
  std::string joined;
  const auto [begin, end] = request.equal_range(name);
  for (auto field = begin; field != end; ++field) {
    if (!joined.empty()) joined += ',';
    joined += View(field->value());
  }
  return joined;
}

}  // namespace

std::pair<std::string_view, std::string_view> Cut(std::string_view text,
                                                  std::string_view separator) {
  const size_t at = text.find(separator);
  if (at == text.npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + separator.size())};
}

std::variant<Target, HttpAnswer> ReadTarget(const HttpRequest& request) {
  const size_t hosts = request.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && request.version() >= 11)) {
    return Refuse(request, http::status::bad_request,
                  hosts > 1 ? "a request has one Host header, and this one has several"
                            : "a request needs a Host header");
  }
  Target target{.host = View(request[http::field::host]), .path = {}, .query = {}};
  std::string_view rest = View(request.target());
  if (const size_t authority = rest.find("://"); !rest.starts_with('/') && authority != rest.npos) {
    // The absolute form, as clients of proxies send it. Its host is the one that counts.
    rest.remove_prefix(authority + 3);
    target.host = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(target.host.size());
  }
  std::tie(target.path, target.query) = Cut(rest, "?");
  if (target.path.empty()) target.path = "/";
  if (!target.host.empty() && !ParseHost(target.host)) {
    return Refuse(request, http::status::bad_request,
                  "the host that the request names is none; it has to be a name or an address, and "
                  "maybe a port");
  }
  return target;
}

std::optional<HttpAnswer> CheckHost(const HttpRequest& request, const HttpContext& context,
                                    std::string_view host) {
  const bool by_proxy =
      context.trusted_proxies != nullptr && context.trusted_proxies->Contains(context.peer);
  const HostRules& rules = context.options.allowed_hosts;
  // A page's request for a WebSocket always has an Origin (RFC 6455, section 4.1). One without is a
  // program's, which nobody can have led here by a name.
  const bool program =
      request.count(http::field::upgrade) > 0 && request.count(http::field::origin) == 0;
  const bool matters =
      (context.loopback_only || !rules.empty()) && !by_proxy && !program && !host.empty();
  if (!matters || rules.Allows(host)) return std::nullopt;
  return Refuse(
      request, http::status::misdirected_request,
      Concat({"this server is not asked by the name ", host,
              "; the server's flag --allowed_hosts says by which it is, besides addresses "
              "and localhost"}));
}

std::variant<ForwardedClient, ForwardedConflict> WhoAsks(const HttpRequest& request,
                                                         const HttpContext& context) {
  if (context.trusted_proxies == nullptr || context.trusted_proxies->empty()) {
    return ForwardedClient{.address = std::string(context.peer),
                           .scheme = context.tls ? "https" : ""};
  }
  const std::string x_for = Joined(request, "X-Forwarded-For");
  const std::string x_proto = Joined(request, "X-Forwarded-Proto");
  const std::string forwarded = Joined(request, "Forwarded");
  return ClientOf(context.peer,
                  {.x_forwarded_for = x_for, .x_forwarded_proto = x_proto, .forwarded = forwarded},
                  *context.trusted_proxies);
}

std::optional<HttpAnswer> CheckOrigin(const HttpRequest& request, const HttpContext& context,
                                      std::string_view host, const ForwardedClient& client) {
  const auto header = request.find(http::field::origin);
  if (header == request.end()) return std::nullopt;
  const std::string_view origin = View(header->value());
  if (context.options.allowed_origins.Allows(origin) || IsSameOrigin(origin, host, client.scheme)) {
    return std::nullopt;
  }
  HttpAnswer answer = Refuse(request, http::status::forbidden,
                             Concat({"pages of ", origin,
                                     " may not connect here; the server's flag --allowed_origins "
                                     "says which may"}));
  answer.origin_refused = true;
  answer.client = client.address;
  return answer;
}

std::string RefusedOriginText(const HttpRequest& request, const WebSocketOptions& options,
                              std::string_view client, uint64_t left_out) {
  constexpr size_t kMostShown = 200;
  std::string origin;
  // A client may send anything here.
  bool can_be_listed = true;
  for (const char c : View(request[http::field::origin]).substr(0, kMostShown)) {
    const bool plain = c > ' ' && c < 0x7f && c != ',';
    can_be_listed = can_be_listed && plain;
    origin += c >= ' ' && c < 0x7f ? c : '?';
  }
  can_be_listed = can_be_listed && OriginRules::Parse(origin).ok() && !origin.empty();
  std::string flag = "--allowed_origins=";
  if (can_be_listed) {
    const std::string& listed = options.allowed_origins.text();
    flag += Concat({listed, listed.empty() ? "" : ",", origin});
  } else {
    flag += "*";
  }
  std::string text =
      Concat({"refused a WebSocket to a page from the origin '", origin, "', for ", client, "; ",
              flag, can_be_listed ? " allows it" : " allows it, and every other"});
  if (left_out > 0) {
    text += Concat({" (", std::to_string(left_out), " more refused since the last such line)"});
  }
  return text;
}

std::optional<std::string> QueryDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
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
