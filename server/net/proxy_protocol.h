// The header that a proxy of TCP connections sends first: who the client is (the PROXY protocol, by
// HAProxy, versions 1 and 2).
#ifndef CRIER_SERVER_NET_PROXY_PROTOCOL_H_
#define CRIER_SERVER_NET_PROXY_PROTOCOL_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace crier {

struct ProxyHeader {
  size_t size = 0;      // in bytes; what follows is the client's
  std::string address;  // the client's, without its port; empty: the proxy speaks for itself, or
                        // for somebody without an address
};
// All bytes so far are the header's, and more have to come.
struct ProxyHeaderIncomplete {};
// What is wrong, for people.
struct ProxyHeaderError {
  std::string_view text;
};

// The longest header that is understood. The specification's longest is 107 in version 1; in
// version 2, addresses take 232 and what else a proxy tells the rest.
inline constexpr size_t kMaxProxyHeaderBytes = 1024;

// Pure: thread-safe.
std::variant<ProxyHeader, ProxyHeaderIncomplete, ProxyHeaderError> ReadProxyHeader(
    std::string_view bytes);

}  // namespace crier

#endif  // CRIER_SERVER_NET_PROXY_PROTOCOL_H_
