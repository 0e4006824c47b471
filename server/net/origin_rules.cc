#include "server/net/origin_rules.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/concat.h"

namespace crier {
namespace {

absl::Status Wrong(std::string_view entry, std::string_view reason) {
  return absl::InvalidArgumentError(Concat({"'", entry, "' ", reason}));
}

uint16_t DefaultPort(std::string_view scheme) {
  if (scheme == "http") return 80;
  if (scheme == "https") return 443;
  return 0;
}

// RFC 3986, section 3.1.
bool IsScheme(std::string_view text) {
  return !text.empty() && absl::ascii_isalpha(static_cast<unsigned char>(text.front())) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '-' ||
                  c == '.';
         });
}

// A name, or an IPv4 address. Browsers send others than ASCII's names as "xn--...".
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 253 && !text.starts_with('.') &&
         text.find("..") == text.npos && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' ||
                  c == '_';
         });
}

bool IsAddress(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(host), error);
  return !error;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::string Lower(std::string_view text) { return absl::AsciiStrToLower(std::string(text)); }

// The entries of a comma-separated list, without spaces around them.
std::vector<std::string> Entries(std::string_view list) {
  std::vector<std::string> entries = absl::StrSplit(std::string(list), ',', absl::SkipWhitespace());
  for (std::string& entry : entries) absl::StripAsciiWhitespace(&entry);
  return entries;
}

// What follows the host begins with a colon or is nothing.
std::pair<std::string_view, std::string_view> SplitPort(std::string_view text) {
  const size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == text.npos) return {text, {}};
  const size_t colon = text.find(':', bracket);
  return {text.substr(0, colon), colon == text.npos ? "" : text.substr(colon)};
}

}  // namespace

std::optional<HostAndPort> ParseHost(std::string_view text) {
  const auto [host, rest] = SplitPort(text);
  if (!IsName(host) && !(host.starts_with('[') && IsAddress(host))) return std::nullopt;
  HostAndPort parsed{.host = Lower(host), .port = 0};
  // "HOST:" is allowed (RFC 3986, section 3.2.3).
  if (rest.size() <= 1) return parsed;
  const std::optional<uint16_t> port = ParsePort(rest.substr(1));
  if (!port) return std::nullopt;
  parsed.port = *port;
  return parsed;
}

std::optional<WebOrigin> ParseOrigin(std::string_view text) {
  const size_t colon = text.find("://");
  if (colon == text.npos || !IsScheme(text.substr(0, colon))) return std::nullopt;
  std::optional<HostAndPort> host = ParseHost(text.substr(colon + 3));
  if (!host) return std::nullopt;
  WebOrigin origin{
      .scheme = Lower(text.substr(0, colon)), .host = std::move(host->host), .port = host->port};
  if (origin.port == 0) origin.port = DefaultPort(origin.scheme);
  return origin;
}

bool IsSameOrigin(std::string_view origin, std::string_view host, std::string_view scheme) {
  const std::optional<WebOrigin> page = ParseOrigin(origin);
  const std::optional<HostAndPort> asked = ParseHost(host);
  if (!page || !asked || page->host != asked->host) return false;
  if (!scheme.empty() && page->scheme != Lower(scheme)) return false;
  return page->port == (asked->port != 0 ? asked->port : DefaultPort(page->scheme));
}

absl::StatusOr<OriginRules::Rule> OriginRules::ParseRule(std::string_view entry) {
  constexpr char kRight[] = "write SCHEME://HOST or SCHEME://HOST:PORT, e.g. https://example.org";
  const size_t colon = entry.find("://");
  if (colon == entry.npos) {
    return Wrong(entry, Concat({"is not an origin; ", kRight}));
  }
  Rule rule{.scheme = Lower(entry.substr(0, colon)), .host = {}};
  if (!IsScheme(rule.scheme)) {
    return Wrong(entry, Concat({"has no scheme like http or https; ", kRight}));
  }
  const std::string_view after = entry.substr(colon + 3);
  if (const size_t path = after.find_first_of("/?#"); path != after.npos) {
    return Wrong(entry, Concat({"has a path, and no browser sends one; write ",
                                entry.substr(0, colon + 3 + path)}));
  }
  auto [host, rest] = SplitPort(after);
  if (host.starts_with("*.")) {
    rule.below = true;
    host.remove_prefix(2);
  }
  if (host.find('*') != host.npos) {
    return Wrong(entry,
                 "has a * where none is allowed; it stands for names below a host "
                 "(https://*.example.org) or for every port (http://localhost:*)");
  }
  if (!IsName(host) && !(host.starts_with('[') && IsAddress(host))) {
    return Wrong(entry, Concat({"has no host that browsers send; ", kRight,
                                ", and names of other letters as xn--..."}));
  }
  rule.host = (rule.below ? "." : "") + Lower(host);
  if (rest == ":*") {
    rule.any_port = true;
  } else if (rest.empty()) {
    rule.port = DefaultPort(rule.scheme);
  } else if (const auto port = ParsePort(rest.substr(1))) {
    rule.port = *port;
  } else {
    return Wrong(entry, "has no port from 1 to 65535 after its host");
  }
  return rule;
}

absl::StatusOr<OriginRules> OriginRules::Parse(std::string_view list) {
  OriginRules rules;
  const std::vector<std::string> entries = Entries(list);
  for (const std::string& entry : entries) {
    if (entry == "*") {
      rules.all_ = true;
    } else if (entry == "null") {
      rules.null_ = true;
    } else {
      absl::StatusOr<Rule> rule = ParseRule(entry);
      if (!rule.ok()) return rule.status();
      rules.rules_.push_back(*std::move(rule));
    }
  }
  rules.text_ = absl::StrJoin(entries, ",");
  return rules;
}

bool OriginRules::Allows(std::string_view origin) const {
  if (all_) return true;
  if (origin == "null") return null_;
  const std::optional<WebOrigin> page = ParseOrigin(origin);
  if (!page) return false;
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return rule.scheme == page->scheme && (rule.any_port || rule.port == page->port) &&
           (rule.below ? page->host.ends_with(rule.host) : page->host == rule.host);
  });
}

absl::StatusOr<HostRules> HostRules::Parse(std::string_view list) {
  HostRules rules;
  for (const std::string& entry : Entries(list)) {
    if (entry == "*") {
      rules.all_ = true;
      continue;
    }
    std::string_view name = entry;
    const bool below = name.starts_with("*.");
    if (below) name.remove_prefix(2);
    if (!IsName(name)) {
      return Wrong(entry,
                   "is not a host's name; write only the name, without a scheme and a port, e.g. "
                   "chat.example.org, or *.example.org for all names below it");
    }
    rules.names_.push_back((below ? "." : "") + Lower(name));
  }
  return rules;
}

bool HostRules::Allows(std::string_view host) const {
  if (all_) return true;
  const std::optional<HostAndPort> asked = ParseHost(host);
  if (!asked) return false;
  // "example.org." is the same name as "example.org".
  std::string_view name = asked->host;
  if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
  if (name == "localhost" || name.ends_with(".localhost") || IsAddress(name)) return true;
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& rule) {
    return rule.starts_with('.') ? name.ends_with(rule) : name == rule;
  });
}

}  // namespace crier
