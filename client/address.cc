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

// What is wrong with HOST[:PORT]; empty where nothing is. Without a port, *port keeps its value.
std::string_view TakeApart(std::string_view authority, std::string* host, std::string* port) {
  std::string_view after_host;
  if (!authority.empty() && authority[0] == '[') {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return "has no ] after its IPv6 address";
    *host = std::string(authority.substr(1, close - 1));
    after_host = authority.substr(close + 1);
    if (!after_host.empty() && after_host[0] != ':') return "has something between ] and the port";
  } else {
    const size_t colon = authority.find(':');
    *host = std::string(authority.substr(0, colon));
    if (colon != std::string_view::npos) after_host = authority.substr(colon);
  }
  if (!after_host.empty()) *port = std::string(after_host.substr(1));
  if (host->empty()) return "names no host";
  if (port->empty() && after_host.empty()) return "names no port";
  uint32_t number = 0;
  if (!absl::SimpleAtoi(*port, &number) || number == 0 || number > 65535) {
    return "has no valid port";
  }
  return {};
}

}  // namespace

absl::StatusOr<WebSocketUrl> ParseWebSocketUrl(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return absl::InvalidArgumentError(
        Concat("\"", text, "\" ", why, "; right is ws://HOST:PORT/ws"));
  };
  std::string_view rest = text;
  WebSocketUrl url;
  url.tls = ConsumePrefix(&rest, "wss://");
  if (!url.tls && !ConsumePrefix(&rest, "ws://")) {
    return wrong("begins with neither ws:// nor wss://");
  }
  const size_t slash = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, slash);
  url.path = slash == std::string_view::npos ? "/ws" : std::string(rest.substr(slash));
  if (url.path == "/") url.path = "/ws";
  if (url.path[0] == '?') url.path.insert(0, "/ws");
  url.port = url.tls ? "443" : "80";
  const std::string_view problem = TakeApart(authority, &url.host, &url.port);
  if (!problem.empty()) return wrong(problem);
  url.host_header = std::string(authority);
  return url;
}

absl::StatusOr<HostAndPort> ParseHostAndPort(std::string_view text) {
  HostAndPort parts;
  const std::string_view problem = TakeApart(text, &parts.host, &parts.port);
  if (problem.empty()) return parts;
  return absl::InvalidArgumentError(
      Concat("\"", text, "\" ", problem, "; right is HOST:PORT, e.g. 127.0.0.1:50051"));
}

std::string JoinHostAndPort(std::string_view host, std::string_view port) {
  return host.find(':') == std::string_view::npos ? Concat(host, ":", port)
                                                  : Concat("[", host, "]:", port);
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
