// Whatever a client or a proxy writes into headers that say who asks, from where and of whom: an
// answer, and nobody who is not trusted chooses his own address.
//
// The first byte says what the rest is; lines are the headers of one request.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "server/net/address_blocks.h"
#include "server/net/forwarded.h"
#include "server/net/listen_address.h"
#include "server/net/origin_rules.h"
#include "server/net/proxy_protocol.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace crier;        // NOLINT: a program of one file
using namespace crier::fuzz;  // NOLINT

void Forwarded(FuzzInput input) {
  static const AddressBlocks trusted = *AddressBlocks::Parse("10.0.0.0/8,::1");
  const std::string_view first = input.Until('\n');
  const std::string_view second = input.Until('\n');
  const ForwardedHeaders headers{
      .x_forwarded_for = first, .x_forwarded_proto = second, .forwarded = input.Rest()};
  const auto of_stranger = ClientOf("192.0.2.1", headers, trusted);
  Require(std::holds_alternative<ForwardedClient>(of_stranger));
  Require(std::get<ForwardedClient>(of_stranger).address == "192.0.2.1");
  Require(std::get<ForwardedClient>(of_stranger).scheme.empty());
  const auto of_proxy = ClientOf("10.1.2.3", headers, trusted);
  if (const auto* client = std::get_if<ForwardedClient>(&of_proxy)) {
    Require(!client->address.empty());
    Require(client->scheme.empty() || client->scheme == "http" || client->scheme == "https");
    Require(!CountedAddress(client->address).empty());
  }
}

void Origin(FuzzInput input) {
  static const OriginRules rules = *OriginRules::Parse("https://*.example.org,http://localhost:*");
  static const HostRules hosts = *HostRules::Parse("chat.example.org");
  const std::string_view origin = input.Until('\n');
  const std::string_view host = input.Until('\n');
  if (rules.Allows(origin)) Require(ParseOrigin(origin).has_value());
  IsSameOrigin(origin, host, input.Rest());
  if (const auto parsed = ParseHost(host)) Require(!parsed->host.empty());
  hosts.Allows(host);
}

// As an operator writes them: right, or told in a line what would be.
void Lists(FuzzInput input) {
  const std::string_view list = input.Rest();
  const auto say = [](const absl::Status& status) {
    Require(status.ok() ||
            (!status.message().empty() && status.message().find('\n') == absl::string_view::npos));
  };
  // A message names the entry, so it would have more lines then.
  if (list.find('\n') != std::string_view::npos) return;
  say(OriginRules::Parse(list).status());
  say(HostRules::Parse(list).status());
  say(AddressBlocks::Parse(list).status());
  say(ParseListenAddresses(list).status());
}

void ProxyProtocol(FuzzInput input) {
  const std::string_view bytes = input.Rest();
  const auto whole = ReadProxyHeader(bytes);
  const auto* header = std::get_if<ProxyHeader>(&whole);
  if (header != nullptr) Require(header->size > 0 && header->size <= bytes.size());
  // A header that has come in parts is the same, and is not taken for another before it is whole.
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto part = ReadProxyHeader(bytes.substr(0, size));
    if (header != nullptr && size < header->size) {
      Require(std::holds_alternative<ProxyHeaderIncomplete>(part));
    }
    if (header != nullptr && size >= header->size) {
      Require(std::get<ProxyHeader>(part).size == header->size);
    }
    if (std::holds_alternative<ProxyHeaderIncomplete>(part)) Require(size < kMaxProxyHeaderBytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  switch (input.Byte() % 4) {
    case 0:
      Forwarded(input);
      break;
    case 1:
      Origin(input);
      break;
    case 2:
      Lists(input);
      break;
    default:
      ProxyProtocol(input);
  }
  return 0;
}
