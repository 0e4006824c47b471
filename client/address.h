// Where a server is, as a user writes it.
#ifndef CRIER_CLIENT_ADDRESS_H_
#define CRIER_CLIENT_ADDRESS_H_

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace crier::client {

// The parts of ws://HOST[:PORT][/PATH]. IPv6 addresses stand in brackets.
struct WebSocketUrl {
  std::string host;  // Without brackets.
  std::string port;
  std::string path;         // With its query; "/ws" where the URL has none.
  std::string host_header;  // As the Host field wants it.
};

// An error says what is wrong with the text and what would be right.
absl::StatusOr<WebSocketUrl> ParseWebSocketUrl(std::string_view text);

// `path` with one more query parameter, its value percent-encoded.
std::string WithQuery(std::string_view path, std::string_view key, std::string_view value);

// An address to connect to.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  bool is_loopback_v4() const;
};

// Asks the resolver; blocks. UNAVAILABLE where it does not know the name.
absl::StatusOr<SocketAddress> Resolve(const std::string& host, const std::string& port);

}  // namespace crier::client

#endif  // CRIER_CLIENT_ADDRESS_H_
