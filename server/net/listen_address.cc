#include "server/net/listen_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstring>
#include <memory>
#include <set>
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

// Converts an IPv4 address from a dual-stack socket to plain IPv4, so that it counts as the same
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

absl::StatusOr<std::vector<SocketAddress>> Resolve(const ListenAddress& address) {
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
  std::vector<SocketAddress> found;
  std::set<std::string> seen;  // A hosts file may name an address more than once.
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
      if (info->ai_family != family) continue;
      SocketAddress one = ToSocketAddress(*info);
      if (seen.insert(HostAndPortText(one)).second) found.push_back(one);
    }
  }
  if (found.empty()) {
    return Wrong(address.text,
                 absl::StrCat("the host '", address.host, "' has no IPv4 or IPv6 address"));
  }
  return found;
}

SocketAddress WithPort(const SocketAddress& address, uint16_t port) {
  SocketAddress changed = address;
  if (address.storage.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&changed.storage)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&changed.storage)->sin_port = htons(port);
  }
  return changed;
}

uint16_t PortOf(const SocketAddress& address) {
  return ntohs(address.storage.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

bool IsLoopback(const SocketAddress& address) {
  boost::system::error_code error;
  const auto host = boost::asio::ip::make_address(HostText(address), error);
  return !error && host.is_loopback();
}

std::string HostText(const SocketAddress& address) { return ToNumeric(Unmapped(address)).host; }

std::string PeerAddressOf(int fd) {
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) != 0) return {};
  return HostText(peer);
}

std::string PeerHostOf(int fd) {
  std::string host = PeerAddressOf(fd);
  return host.empty() ? "that has left" : host;
}

std::string HostAndPortText(const SocketAddress& address) {
  const Numeric text = ToNumeric(address);
  return address.storage.ss_family == AF_INET6 ? absl::StrCat("[", text.host, "]:", text.port)
                                               : absl::StrCat(text.host, ":", text.port);
}

}  // namespace crier
