#include "server/net/listen_address.h"

#include <netdb.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace crier {
namespace {

constexpr char kRight[] = "write HOST:PORT, e.g. 127.0.0.1:8000 or [::1]:8000";

absl::Status Wrong(const std::string& address, const std::string& reason) {
  return absl::InvalidArgumentError("'" + address + "': " + reason);
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

absl::StatusOr<ListenAddress> ParseOne(std::string_view part) {
  const std::string text(part);
  const size_t colon = part.rfind(':');
  if (colon == std::string_view::npos || part.ends_with(']') || part.ends_with(':')) {
    return Wrong(text, absl::StrCat("the port is missing; ", kRight));
  }
  std::string_view host = part.substr(0, colon);
  const std::string_view port = part.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Wrong(text, absl::StrCat("an IPv6 address needs brackets; ", kRight));
  }
  if (host.empty()) {
    return Wrong(text, "the host is missing; write 0.0.0.0 or [::] for every interface");
  }
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) {
    return Wrong(text, "the port has to be a number from 0 to 65535");
  }
  return ListenAddress{.text = text, .host = std::string(host), .port = number};
}

SocketAddress ToSocketAddress(const addrinfo& info) {
  SocketAddress address;
  std::memcpy(&address.storage, info.ai_addr, info.ai_addrlen);
  address.length = info.ai_addrlen;
  return address;
}

// An IPv4 address that came in on a dual-stack socket, as what it is, so that it counts as one
// address on both kinds of socket.
SocketAddress Unmapped(const SocketAddress& address) {
  if (address.storage.ss_family != AF_INET6) return address;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address.storage, sizeof v6);
  if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return address;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = v6.sin6_port;
  std::memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
  SocketAddress unmapped;
  std::memcpy(&unmapped.storage, &v4, sizeof v4);
  unmapped.length = sizeof v4;
  return unmapped;
}

struct Numeric {
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
};

Numeric ToNumeric(const SocketAddress& address) {
  Numeric text;
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.length, text.host,
                sizeof text.host, text.port, sizeof text.port, NI_NUMERICHOST | NI_NUMERICSERV);
  return text;
}

}  // namespace

absl::StatusOr<std::vector<ListenAddress>> ParseListenAddresses(std::string_view addresses) {
  std::vector<ListenAddress> parsed;
  while (true) {
    const size_t comma = addresses.find(',');
    absl::StatusOr<ListenAddress> address = ParseOne(Trimmed(addresses.substr(0, comma)));
    if (!address.ok()) return address.status();
    parsed.push_back(*std::move(address));
    if (comma == std::string_view::npos) return parsed;
    addresses.remove_prefix(comma + 1);
  }
}

absl::StatusOr<SocketAddress> Resolve(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error =
      ::getaddrinfo(address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &list);
  if (error != 0) {
    return Wrong(address.text, absl::StrCat("cannot find the host '", address.host,
                                            "': ", ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    if (info->ai_family == AF_INET) return ToSocketAddress(*info);
  }
  return ToSocketAddress(*list);
}

std::string HostText(const SocketAddress& address) { return ToNumeric(Unmapped(address)).host; }

std::string HostAndPortText(const SocketAddress& address) {
  const Numeric text = ToNumeric(address);
  return address.storage.ss_family == AF_INET6 ? absl::StrCat("[", text.host, "]:", text.port)
                                               : absl::StrCat(text.host, ":", text.port);
}

}  // namespace crier
