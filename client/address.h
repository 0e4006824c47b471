// Parses the addresses of servers, as users write them.
#ifndef CRIER_CLIENT_ADDRESS_H_
#define CRIER_CLIENT_ADDRESS_H_

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace crier::client {

// The parts of ws://HOST[:PORT][/PATH], or wss:// for TLS. IPv6 addresses are in brackets.
struct WebSocketUrl {
  std::string host;  // Without brackets.
  std::string port;
  std::string path;         // With the query; "/ws" if the URL has no path.
  std::string host_header;  // The value of the Host field.
  bool tls = false;
};

// An error says what is wrong with the text and what would be right.
absl::StatusOr<WebSocketUrl> ParseWebSocketUrl(std::string_view text);

// The parts of HOST:PORT. IPv6 addresses stand in brackets.
struct HostAndPort {
  std::string host;  // Without brackets.
  std::string port;
};

// An error says what is wrong with the text and what would be right.
absl::StatusOr<HostAndPort> ParseHostAndPort(std::string_view text);

// "127.0.0.1:8000", "[::1]:8000".
std::string JoinHostAndPort(std::string_view host, std::string_view port);

// `path` with one more query parameter, its value percent-encoded.
std::string WithQuery(std::string_view path, std::string_view key, std::string_view value);

// An address to connect to.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  bool is_loopback_v4() const;
};

// Asks the resolver. Blocks. UNAVAILABLE: the name is unknown.
absl::StatusOr<SocketAddress> Resolve(const std::string& host, const std::string& port);

}  // namespace crier::client

#endif  // CRIER_CLIENT_ADDRESS_H_
