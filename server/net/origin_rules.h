// Web origins (RFC 6454) and host names, as browsers send them in the headers Origin and Host, and
// the rules of which of them may use the server.
#ifndef CRIER_SERVER_NET_ORIGIN_RULES_H_
#define CRIER_SERVER_NET_ORIGIN_RULES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace crier {

// "HOST" or "HOST:PORT", in lower case.
struct HostAndPort {
  std::string host;   // an IPv6 address has its brackets
  uint16_t port = 0;  // 0: none is named
};
// nullopt: not of this form.
std::optional<HostAndPort> ParseHost(std::string_view text);

// "SCHEME://HOST" or "SCHEME://HOST:PORT", in lower case. Without a port: that of the scheme, if it
// is http or https.
struct WebOrigin {
  std::string scheme;
  std::string host;
  uint16_t port = 0;
};
// nullopt: not of this form. "null" is not either.
std::optional<WebOrigin> ParseOrigin(std::string_view text);

// True if a page of this origin has come from the host that it now asks, whatever server that is.
// `scheme`: of the request, where it is known; empty: the origin's. A page that came by http is not
// of the same origin as the same host by https.
bool IsSameOrigin(std::string_view origin, std::string_view host, std::string_view scheme);

// Which pages may open WebSockets, besides those of the requested host itself.
//
// Thread-safe where it is const.
class OriginRules {
 public:
  // None.
  OriginRules() = default;

  // A comma-separated list. Each entry is an origin; "https://*.example.org" stands for every name
  // below example.org and not for that itself, "http://localhost:*" for every port; "null" is what
  // pages of files and sandboxed frames send; "*" allows every page. The status names an entry that
  // could never match, and what would be right.
  static absl::StatusOr<OriginRules> Parse(std::string_view list);

  bool Allows(std::string_view origin) const;

  // As it was given, without spaces. Empty: none.
  const std::string& text() const { return text_; }

 private:
  struct Rule {
    std::string scheme;
    std::string host;
    bool below = false;  // host begins with a dot: names below it
    bool any_port = false;
    uint16_t port = 0;
  };
  static absl::StatusOr<Rule> ParseRule(std::string_view entry);

  bool all_ = false;
  bool null_ = false;
  std::vector<Rule> rules_;
  std::string text_;
};

// Which hosts a request may name.
//
// A page of evil.example whose name is changed to stand for 127.0.0.1 (DNS rebinding) is of the
// same origin as the server then, as far as its browser knows. The browser still names evil.example
// in Host.
//
// Thread-safe where it is const.
class HostRules {
 public:
  // Only addresses and localhost.
  HostRules() = default;

  // A comma-separated list of names: "chat.example.org", "*.example.org", or "*" for all. Addresses
  // and localhost are always allowed, since nobody can make them stand for something else. The
  // status names a wrong entry and what would be right.
  static absl::StatusOr<HostRules> Parse(std::string_view list);

  // `host`: the header, with or without a port.
  bool Allows(std::string_view host) const;
  // No name is listed.
  bool empty() const { return !all_ && names_.empty(); }

 private:
  bool all_ = false;
  std::vector<std::string> names_;  // one that begins with a dot: all below it
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_ORIGIN_RULES_H_
