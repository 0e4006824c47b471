#include "client/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "client/text.h"

namespace crier::client {

namespace {

bool ConsumePrefix(std::string_view* text, std::string_view prefix) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}

}  // namespace

absl::StatusOr<WebSocketUrl> ParseWebSocketUrl(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return absl::InvalidArgumentError(
        Concat("\"", text, "\" ", why, "; right is ws://HOST:PORT/ws"));
  };
  std::string_view rest = text;
  if (ConsumePrefix(&rest, "wss://")) {
    return wrong("asks for TLS, which this client does not speak");
  }
  if (!ConsumePrefix(&rest, "ws://")) return wrong("does not begin with ws://");
  const size_t slash = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, slash);
  WebSocketUrl url;
  url.path = slash == std::string_view::npos ? "/ws" : std::string(rest.substr(slash));
  if (url.path == "/") url.path = "/ws";
  if (url.path[0] == '?') url.path.insert(0, "/ws");

  std::string_view port = "80";
  if (!authority.empty() && authority[0] == '[') {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return wrong("has no ] after its IPv6 address");
    url.host = std::string(authority.substr(1, close - 1));
    const std::string_view tail = authority.substr(close + 1);
    if (!tail.empty() && tail[0] != ':') return wrong("has something between ] and the port");
    if (!tail.empty()) port = tail.substr(1);
  } else {
    const size_t colon = authority.find(':');
    url.host = std::string(authority.substr(0, colon));
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
  }
  uint32_t number = 0;
  if (url.host.empty()) return wrong("names no host");
  if (!absl::SimpleAtoi(ForAbsl(port), &number) || number == 0 || number > 65535) {
    return wrong("has no valid port");
  }
  url.port = std::string(port);
  url.host_header = std::string(authority);
  return url;
}

std::string WithQuery(std::string_view path, std::string_view key, std::string_view value) {
  std::string result = Concat(path, path.find('?') == std::string_view::npos ? "?" : "&", key, "=");
  for (const char c : value) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      result += c;
    } else {
      absl::StrAppendFormat(&result, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return result;
}

bool SocketAddress::is_loopback_v4() const {
  if (storage.ss_family != AF_INET) return false;
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
}

absl::StatusOr<SocketAddress> Resolve(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(Concat("cannot resolve ", host, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  SocketAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  return address;
}

}  // namespace crier::client
