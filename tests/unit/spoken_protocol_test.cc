#include "server/admin/spoken_protocol.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace crier {
namespace {

std::string Number(size_t number, size_t bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(number >> (8 * bytes) & 0xFF);
  return text;
}

std::string Vector(std::string_view content, size_t length_bytes) {
  return Number(content.size(), length_bytes) + std::string(content);
}

// A record with a ClientHello that offers these protocols; none: without the extension.
std::string HelloWith(const std::vector<std::string>& protocols) {
  std::string extensions = Number(0, 2) + Vector(std::string(9, 's'), 2);  // server_name
  if (!protocols.empty()) {
    std::string names;
    for (const std::string& protocol : protocols) names += Vector(protocol, 1);
    extensions += Number(16, 2) + Vector(Vector(names, 2), 2);
  }
  const std::string body = Number(0x0303, 2) + std::string(32, 'r') + Vector("id", 1) +
                           Vector(Number(0x1301, 2), 2) + Vector(Number(0, 1), 1) +
                           Vector(extensions, 2);
  return Number(22, 1) + Number(0x0301, 2) + Vector(Number(1, 1) + Vector(body, 3), 2);
}

TEST(SpokenProtocolTest, ThePrefaceIsHttp2) {
  const std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (size_t size = 0; size < 14; ++size) {
    EXPECT_EQ(SpokenPlainly(preface.substr(0, size)), SpokenProtocol::kNotYet) << size;
  }
  EXPECT_EQ(SpokenPlainly(preface), SpokenProtocol::kHttp2);
  for (const char* other : {"POST / HTTP/1.1", "G", "PUT", "PRI * HTTP/1.1", "\x16\x03\x01"}) {
    EXPECT_EQ(SpokenPlainly(other), SpokenProtocol::kHttp1) << other;
  }
}

TEST(SpokenProtocolTest, InTlsTheHelloSaysIt) {
  EXPECT_EQ(SpokenInTls(HelloWith({"h2"})), SpokenProtocol::kHttp2);
  EXPECT_EQ(SpokenInTls(HelloWith({"grpc-exp", "h2"})), SpokenProtocol::kHttp2);
  EXPECT_EQ(SpokenInTls(HelloWith({"h2", "http/1.1"})), SpokenProtocol::kHttp1);
  EXPECT_EQ(SpokenInTls(HelloWith({"http/1.1"})), SpokenProtocol::kHttp1);
  EXPECT_EQ(SpokenInTls(HelloWith({})), SpokenProtocol::kHttp1);
  EXPECT_EQ(SpokenInTls("GET / HTTP/1.1"), SpokenProtocol::kHttp1);
}

TEST(SpokenProtocolTest, APartOfAHelloIsNotEnough) {
  const std::string hello = HelloWith({"h2"});
  for (size_t size = 0; size < hello.size(); ++size) {
    EXPECT_EQ(SpokenInTls(std::string_view(hello).substr(0, size)), SpokenProtocol::kNotYet)
        << size;
  }
}

TEST(SpokenProtocolTest, LengthsThatLieAreNoHttp2) {
  const std::string hello = HelloWith({"h2"});
  for (size_t i = 5; i < hello.size(); ++i) {
    std::string wrong = hello;
    wrong[i] = '\xFF';
    EXPECT_NE(SpokenInTls(wrong), SpokenProtocol::kNotYet) << i;
  }
}

}  // namespace
}  // namespace crier
