// Client addresses: what they are counted as, and lists of networks.
#ifndef CRIER_SERVER_NET_ADDRESS_BLOCKS_H_
#define CRIER_SERVER_NET_ADDRESS_BLOCKS_H_

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace crier {

// What limits per address count: an IPv4 address is itself, an IPv6 address stands for its network
// of 64 bits ("2001:db8:1:2::/64"), because that is what one customer gets (RFC 6177; a single
// machine may use any address in it). An IPv4 address in the form of IPv6 counts as IPv4. A text
// that is no address stands for itself.
std::string CountedAddress(std::string_view address);

// Addresses and networks. Thread-safe where it is const.
class AddressBlocks {
 public:
  // None.
  AddressBlocks() = default;

  // A comma-separated list: "10.0.0.7", "10.0.0.0/8", "2001:db8::/32". The status names a wrong
  // entry and what would be right.
  static absl::StatusOr<AddressBlocks> Parse(std::string_view list);

  bool empty() const { return v4_.empty() && v6_.empty(); }
  // False for what is no address.
  bool Contains(std::string_view address) const;

 private:
  std::vector<boost::asio::ip::network_v4> v4_;
  std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_ADDRESS_BLOCKS_H_
