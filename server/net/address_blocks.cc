#include "server/net/address_blocks.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "server/base/concat.h"

namespace crier {
namespace {

namespace ip = boost::asio::ip;

constexpr unsigned short kCountedBits = 64;

std::optional<ip::address> ParseAddress(std::string_view text) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  }
  return address;
}

}  // namespace

std::string CountedAddress(std::string_view text) {
  const std::optional<ip::address> address = ParseAddress(text);
  if (!address) return std::string(text);
  if (address->is_v4()) return address->to_string();
  ip::address_v6 v6 = address->to_v6();
  v6.scope_id(0);
  return ip::network_v6(v6, kCountedBits).canonical().to_string();
}

absl::StatusOr<AddressBlocks> AddressBlocks::Parse(std::string_view list) {
  AddressBlocks blocks;
  std::vector<std::string> entries = absl::StrSplit(std::string(list), ',', absl::SkipWhitespace());
  for (std::string& entry : entries) {
    absl::StripAsciiWhitespace(&entry);
    const std::optional<ip::address> address = ParseAddress(entry);
    boost::system::error_code v4_error;
    boost::system::error_code v6_error;
    if (address) {
      if (address->is_v4()) {
        blocks.v4_.emplace_back(address->to_v4(), 32);
      } else {
        blocks.v6_.emplace_back(address->to_v6(), 128);
      }
    } else if (const auto v4 = ip::make_network_v4(entry, v4_error); !v4_error) {
      blocks.v4_.push_back(v4.canonical());
    } else if (const auto v6 = ip::make_network_v6(entry, v6_error); !v6_error) {
      blocks.v6_.push_back(v6.canonical());
    } else {
      return absl::InvalidArgumentError(
          Concat({"'", entry,
                  "' is neither an address nor a network; write e.g. 10.0.0.7, 10.0.0.0/8 or "
                  "2001:db8::/32"}));
    }
  }
  return blocks;
}

bool AddressBlocks::Contains(std::string_view text) const {
  if (empty()) return false;
  const std::optional<ip::address> address = ParseAddress(text);
  if (!address) return false;
  if (address->is_v4()) {
    return std::any_of(v4_.begin(), v4_.end(), [&](const ip::network_v4& block) {
      return ip::network_v4(address->to_v4(), block.prefix_length()).canonical() == block;
    });
  }
  ip::address_v6 v6 = address->to_v6();
  v6.scope_id(0);
  return std::any_of(v6_.begin(), v6_.end(), [&](const ip::network_v6& block) {
    return ip::network_v6(v6, block.prefix_length()).canonical() == block;
  });
}

}  // namespace crier
