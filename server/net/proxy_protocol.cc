#include "server/net/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <optional>

namespace crier {
namespace {

using Result = std::variant<ProxyHeader, ProxyHeaderIncomplete, ProxyHeaderError>;
namespace ip = boost::asio::ip;

constexpr std::string_view kV1 = "PROXY ";
constexpr size_t kMaxV1Bytes = 107;
constexpr std::string_view kV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kV2FixedBytes = 16;
// Commands, in the lower half of the byte after the signature.
constexpr unsigned kLocal = 0;
constexpr unsigned kProxy = 1;
// Address families, in the upper half of the next byte.
constexpr unsigned kInet = 1;
constexpr unsigned kInet6 = 2;

// Whether `bytes` begin with `prefix`, as far as they go.
bool MayBeginWith(std::string_view bytes, std::string_view prefix) {
  const size_t length = std::min(bytes.size(), prefix.size());
  return bytes.substr(0, length) == prefix.substr(0, length);
}

std::string Text(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

// "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
Result ReadV1(std::string_view bytes) {
  const size_t end = bytes.substr(0, kMaxV1Bytes).find("\r\n");
  if (end == bytes.npos) {
    if (bytes.size() < kMaxV1Bytes) return ProxyHeaderIncomplete{};
    return ProxyHeaderError{"its line is too long"};
  }
  ProxyHeader header{.size = end + 2, .address = {}};
  std::string_view line = bytes.substr(kV1.size(), end - kV1.size());
  const auto next = [&line] {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
    return word;
  };
  const std::string_view protocol = next();
  if (protocol == "UNKNOWN") return header;
  if (protocol != "TCP4" && protocol != "TCP6") {
    return ProxyHeaderError{"its protocol is none of TCP4, TCP6 and UNKNOWN"};
  }
  boost::system::error_code error;
  const ip::address address = ip::make_address(std::string(next()), error);
  if (error || address.is_v6() != (protocol == "TCP6")) {
    return ProxyHeaderError{"its client has no address of its protocol"};
  }
  header.address = Text(address);
  return header;
}

Result ReadV2(std::string_view bytes) {
  if (bytes.size() < kV2FixedBytes) return ProxyHeaderIncomplete{};
  const auto byte = [bytes](size_t at) {
    return static_cast<unsigned>(static_cast<unsigned char>(bytes[at]));
  };
  const unsigned version = byte(12) >> 4;
  const unsigned command = byte(12) & 15;
  if (version != 2 || command > kProxy) {
    return ProxyHeaderError{"its version is not 2, or its command neither LOCAL nor PROXY"};
  }
  ProxyHeader header{.size = kV2FixedBytes + byte(14) * 256 + byte(15), .address = {}};
  if (header.size > kMaxProxyHeaderBytes) return ProxyHeaderError{"it is longer than 1024 bytes"};
  if (bytes.size() < header.size) return ProxyHeaderIncomplete{};
  const unsigned family = byte(13) >> 4;
  if (command == kLocal || (family != kInet && family != kInet6)) return header;
  const auto read = [&](auto&& raw) {
    if (header.size < kV2FixedBytes + 2 * (raw.size() + 2)) return false;
    std::copy_n(bytes.begin() + kV2FixedBytes, raw.size(), raw.begin());
    return true;
  };
  ip::address_v4::bytes_type v4;
  ip::address_v6::bytes_type v6;
  if (family == kInet ? !read(v4) : !read(v6)) {
    return ProxyHeaderError{"it is too short for its addresses"};
  }
  header.address = family == kInet ? Text(ip::address_v4(v4)) : Text(ip::address_v6(v6));
  return header;
}

}  // namespace

Result ReadProxyHeader(std::string_view bytes) {
  if (MayBeginWith(bytes, kV2)) {
    return bytes.size() < kV2.size() ? ProxyHeaderIncomplete{} : ReadV2(bytes);
  }
  if (MayBeginWith(bytes, kV1)) {
    return bytes.size() < kV1.size() ? ProxyHeaderIncomplete{} : ReadV1(bytes);
  }
  return ProxyHeaderError{"there is none"};
}

}  // namespace crier
