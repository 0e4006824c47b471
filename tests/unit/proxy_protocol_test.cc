// The header that a proxy of TCP connections sends first.
#include "server/net/proxy_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

using std::string_literals::operator""s;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string V2(char version_and_command, char family, const std::string& rest) {
  return kSignature + version_and_command + family + static_cast<char>(rest.size() >> 8) +
         static_cast<char>(rest.size() & 255) + rest;
}

// "SIZE ADDRESS", "incomplete", or what is wrong.
std::string Read(std::string_view bytes) {
  const auto read = ReadProxyHeader(bytes);
  if (const auto* header = std::get_if<ProxyHeader>(&read)) {
    return std::to_string(header->size) + " " + header->address;
  }
  if (const auto* error = std::get_if<ProxyHeaderError>(&read)) return std::string(error->text);
  return "incomplete";
}

// Whole, with more behind it, and incomplete at every earlier byte.
void Expect(const std::string& header, const std::string& address) {
  const std::string whole = std::to_string(header.size()) + " " + address;
  EXPECT_EQ(Read(header), whole);
  EXPECT_EQ(Read(header + "GET / HTTP/1.1\r\n"), whole);
  for (size_t i = 0; i < header.size(); ++i)
    EXPECT_EQ(Read(header.substr(0, i)), "incomplete") << i;
}

TEST(ProxyProtocolTest, Version1) {
  Expect("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1");
  Expect("PROXY TCP6 2001:DB8::1 2001:db8::2 56324 443\r\n", "2001:db8::1");
  Expect("PROXY UNKNOWN\r\n", "");
  Expect("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "");
}

TEST(ProxyProtocolTest, Version2) {
  const std::string v4 = "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb"s;
  Expect(V2('\x21', '\x11', v4), "192.0.2.1");
  Expect(V2('\x21', '\x11', v4 + "\x20\x00\x01x"s), "192.0.2.1");
  const std::string v6 = "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\x01";
  Expect(V2('\x21', '\x21', v6 + v6 + std::string(4, '\1')), "2001:db8::1");
  Expect(V2('\x21', '\x31', std::string(216, 'u')), "");  // a Unix socket
  Expect(V2('\x20', '\x00', ""), "");                     // LOCAL: a health check
  Expect(V2('\x20', '\x11', v4), "");
  Expect(V2('\x21', '\x00', ""), "");
}

TEST(ProxyProtocolTest, AnIpv4AddressInIpv6IsIpv4) {
  Expect("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1");
}

TEST(ProxyProtocolTest, SaysWhatIsWrong) {
  EXPECT_EQ(Read("GET / HTTP/1.1\r\n"), "there is none");
  EXPECT_EQ(Read("PRI * HTTP/2.0\r\n"), "there is none");
  EXPECT_EQ(Read("\r\n\r\n\r"), "there is none");
  EXPECT_THAT(Read("PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n"), HasSubstr("protocol"));
  EXPECT_THAT(Read("PROXY TCP4 2001:db8::1 ::1 1 2\r\n"), HasSubstr("address"));
  EXPECT_THAT(Read("PROXY TCP4\r\n"), HasSubstr("address"));
  EXPECT_THAT(Read("PROXY TCP4 " + std::string(200, '1')), HasSubstr("too long"));
  EXPECT_THAT(Read(V2('\x31', '\x11', "")), HasSubstr("version"));
  EXPECT_THAT(Read(V2('\x22', '\x11', "")), HasSubstr("command"));
  EXPECT_THAT(Read(V2('\x21', '\x11', "short")), HasSubstr("too short"));
  EXPECT_THAT(Read(V2('\x21', '\x21', std::string(35, 'x'))), HasSubstr("too short"));
  EXPECT_THAT(Read(V2('\x21', '\x11', std::string(1009, 'x'))), HasSubstr("longer than 1024"));
}

}  // namespace
}  // namespace crier
