// The value of a Sec-WebSocket-Extensions header (RFC 6455, section 9.1). Boost 1.81's
// http::ext_list is not used: it repeats the parameters of one extension for a last one that has
// none.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_EXTENSION_LIST_H_
#define CRIER_SERVER_WEBSOCKET_EXTENSION_LIST_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crier {

struct ExtensionParameter {
  std::string name;                  // in lower case
  std::optional<std::string> value;  // unquoted
};

struct Extension {
  std::string name;  // in lower case
  std::vector<ExtensionParameter> parameters;
};

// The extensions in their order; none where the value does not follow the grammar.
std::vector<Extension> ParseExtensions(std::string_view value);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_EXTENSION_LIST_H_
