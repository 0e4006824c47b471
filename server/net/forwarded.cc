#include "server/net/forwarded.h"

#include <boost/asio/ip/address.hpp>
#include <utility>
#include <vector>

#include "absl/strings/match.h"

namespace crier {
namespace {

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

// Splits off what stands before the first `separator` that is not in quotes.
std::string_view Next(std::string_view* text, char separator) {
  bool quoted = false;
  for (size_t i = 0; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      const std::string_view part = text->substr(0, i);
      text->remove_prefix(i + 1);
      return part;
    }
  }
  return std::exchange(*text, {});
}

std::string Unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  std::string plain;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && i + 2 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80". Empty: it names no address, as
// "unknown" and "_hidden" do.
std::string AddressIn(std::string_view node) {
  if (node.starts_with('[')) {
    node = node.substr(1, node.find(']') - 1);
  } else if (node.find(':') != node.npos && node.find(':') == node.rfind(':')) {
    node = node.substr(0, node.find(':'));
  }
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(node), error);
  if (error) return {};
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6())
        .to_string();
  }
  return address.to_string();
}

std::string SchemeIn(std::string_view text) {
  if (EqualsIgnoringCase(text, "https") || EqualsIgnoringCase(text, "wss")) return "https";
  if (EqualsIgnoringCase(text, "http") || EqualsIgnoringCase(text, "ws")) return "http";
  return {};
}

// One proxy's word: who asked it, and how.
using Hops = std::vector<ForwardedClient>;

Hops HopsOfForwarded(std::string_view header) {
  Hops hops;
  while (!header.empty()) {
    std::string_view element = Next(&header, ',');
    ForwardedClient hop;
    while (!element.empty()) {
      std::string_view pair = Trimmed(Next(&element, ';'));
      const std::string_view name = Trimmed(Next(&pair, '='));
      const std::string value = Unquoted(Trimmed(pair));
      if (EqualsIgnoringCase(name, "for")) hop.address = AddressIn(value);
      if (EqualsIgnoringCase(name, "proto")) hop.scheme = SchemeIn(value);
    }
    hops.push_back(std::move(hop));
  }
  return hops;
}

Hops HopsOfXForwarded(const ForwardedHeaders& headers) {
  Hops hops;
  std::string_view rest = headers.x_forwarded_for;
  while (!rest.empty()) {
    hops.push_back({.address = AddressIn(Trimmed(Next(&rest, ','))), .scheme = {}});
  }
  return hops;
}

// From the last hop back to the first that is no trusted proxy.
ForwardedClient Walk(std::string_view peer, const Hops& hops, const AddressBlocks& trusted) {
  ForwardedClient client{.address = std::string(peer), .scheme = {}};
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    if (!trusted.Contains(client.address) || hop->address.empty()) break;
    client = *hop;
  }
  return client;
}

}  // namespace

std::variant<ForwardedClient, ForwardedConflict> ClientOf(std::string_view peer,
                                                          const ForwardedHeaders& headers,
                                                          const AddressBlocks& trusted) {
  if (!trusted.Contains(peer)) {
    return ForwardedClient{.address = std::string(peer), .scheme = {}};
  }
  ForwardedClient by_x = Walk(peer, HopsOfXForwarded(headers), trusted);
  // A proxy says its own scheme, and overwrites what was there.
  std::string_view protos = headers.x_forwarded_proto;
  while (!protos.empty()) by_x.scheme = SchemeIn(Trimmed(Next(&protos, ',')));
  if (headers.forwarded.empty()) return by_x;
  ForwardedClient by_forwarded = Walk(peer, HopsOfForwarded(headers.forwarded), trusted);
  if (headers.x_forwarded_for.empty()) {
    if (by_forwarded.scheme.empty()) by_forwarded.scheme = by_x.scheme;
    return by_forwarded;
  }
  if (by_forwarded.address != by_x.address) return ForwardedConflict{};
  if (by_x.scheme.empty()) by_x.scheme = by_forwarded.scheme;
  return by_x;
}

}  // namespace crier
