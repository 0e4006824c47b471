// Who a request comes from, where proxies stand in between: X-Forwarded-For, X-Forwarded-Proto, and
// Forwarded (RFC 7239).
#ifndef CRIER_SERVER_NET_FORWARDED_H_
#define CRIER_SERVER_NET_FORWARDED_H_

#include <string>
#include <string_view>
#include <variant>

#include "server/net/address_blocks.h"

namespace crier {

// The headers' values; empty: the request has no such header. Where it has several of one name,
// their values in order, with commas between.
struct ForwardedHeaders {
  std::string_view x_forwarded_for = {};
  std::string_view x_forwarded_proto = {};
  std::string_view forwarded = {};
};

struct ForwardedClient {
  std::string address;  // without a port
  std::string scheme;   // "http" or "https", as the client asked for; empty: not known
};

// Both headers are there and name different clients. One of them is the client's own invention, and
// there is no telling which.
struct ForwardedConflict {};

// The client of a request that came in from `peer`. Each proxy adds the address that it was asked
// from at the end; so the client is the last one that is no trusted proxy, and whatever stands
// before it is only what the client says of itself. A peer that is not trusted is the client, and
// nothing is known of its scheme.
//
// Pure: thread-safe.
std::variant<ForwardedClient, ForwardedConflict> ClientOf(std::string_view peer,
                                                          const ForwardedHeaders& headers,
                                                          const AddressBlocks& trusted);

}  // namespace crier

#endif  // CRIER_SERVER_NET_FORWARDED_H_
