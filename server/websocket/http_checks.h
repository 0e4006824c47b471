// What a request asks for, of whom, and by whom: checks that come before any route.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_HTTP_CHECKS_H_
#define CRIER_SERVER_WEBSOCKET_HTTP_CHECKS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "server/auth/authenticator.h"
#include "server/metrics/metrics.h"
#include "server/net/address_blocks.h"
#include "server/net/connection_table.h"
#include "server/net/forwarded.h"
#include "server/websocket/http_answers.h"
#include "server/websocket/options.h"

namespace crier {

// What an answer depends on besides the request.
struct HttpContext {
  const WebSocketOptions& options;
  bool ready;      // /readyz
  bool accepting;  // false: no new session any more
  // The connection is beyond the limit: it may ask how the server is, and nothing else.
  bool over_limit = false;
  // Only this machine can connect, so a request for another host's name is an attack
  // (HostRules).
  bool loopback_only = false;
  // The connection's other end, and who may speak for others. Null: nobody.
  std::string_view peer = {};
  bool tls = false;
  const AddressBlocks* trusted_proxies = nullptr;
  // Null: clients are not authenticated. And the time that tokens are read at, in seconds since
  // 1970.
  const Authenticator* authenticator = nullptr;
  std::string_view certificate_user = {};  // of TLS; empty: none
  int64_t now = 0;
  // Counts what is refused for its token. Not null where clients are authenticated.
  ShardMetrics* metrics = nullptr;
  // The connection's, which counts its client's calls. Null: nothing does.
  ConnectionTable::Place* place = nullptr;
  // What may be called. Null: nothing.
  const UnaryMethods* methods = nullptr;
};

// A request's target, taken apart (RFC 9112, section 3.2).
struct Target {
  std::string_view host;  // of the absolute form, else of the Host header
  std::string_view path;
  std::string_view query;
};

// Splits `text` at the first `separator`. Without one, all of it is the first part.
std::pair<std::string_view, std::string_view> Cut(std::string_view text,
                                                  std::string_view separator);

// A refusal, if the request does not say well what it asks for.
std::variant<Target, HttpAnswer> ReadTarget(const HttpRequest& request);

// A refusal, if a page may be behind it and the server is not asked by a name of its own
// (HostRules).
std::optional<HttpAnswer> CheckHost(const HttpRequest& request, const HttpContext& context,
                                    std::string_view host);

std::variant<ForwardedClient, ForwardedConflict> WhoAsks(const HttpRequest& request,
                                                         const HttpContext& context);

// A refusal, if a page asks that may not: it names an origin that is neither the requested host
// itself nor on the list.
std::optional<HttpAnswer> CheckOrigin(const HttpRequest& request, const HttpContext& context,
                                      std::string_view host, const ForwardedClient& client);

// What the log says of a request whose origin was refused: the origin, who asked, the flag that
// would allow it, and how many more were refused and not logged. One line, whatever the client
// sent.
std::string RefusedOriginText(const HttpRequest& request, const WebSocketOptions& options,
                              std::string_view client, uint64_t left_out);

// Decodes a part of a query: %41 and the like, and + for a space; nullopt where an escape is
// broken.
std::optional<std::string> QueryDecode(std::string_view text);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HTTP_CHECKS_H_
