#include "server/websocket/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

namespace http = boost::beast::http;

HttpRequest Request(const std::string& extensions = {}) {
  HttpRequest request;
  request.method(http::verb::get);
  request.set(http::field::sec_websocket_key, "dGhlIHNhbXBsZSBub25jZQ==");
  if (!extensions.empty()) request.set(http::field::sec_websocket_extensions, extensions);
  return request;
}

TEST(HandshakeTest, TheExampleOfTheRfc) {
  const Handshake handshake = AcceptUpgrade(Request(), &PlainDialect(), /*compression=*/true);
  EXPECT_THAT(handshake.response, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_THAT(handshake.response, HasSubstr("\r\nUpgrade: websocket\r\n"));
  EXPECT_THAT(handshake.response, HasSubstr("\r\nConnection: Upgrade\r\n"));
  // RFC 6455, section 1.3.
  EXPECT_THAT(handshake.response,
              HasSubstr("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(handshake.response, Not(HasSubstr("Sec-WebSocket-Extensions")));
  EXPECT_THAT(handshake.response, Not(HasSubstr("Sec-WebSocket-Protocol")));
  EXPECT_THAT(handshake.response, EndsWith("\r\n\r\n"));
  EXPECT_FALSE(handshake.deflate);
}

TEST(HandshakeTest, ADialectIsNamed) {
  const Dialect& dialect = AllDialects().back();
  EXPECT_THAT(
      AcceptUpgrade(Request(), &dialect, false).response,
      HasSubstr("\r\nSec-WebSocket-Protocol: " + std::string(dialect.subprotocol) + "\r\n"));
}

TEST(HandshakeTest, CompressionIsAgreedToWhereItIsOn) {
  EXPECT_FALSE(AcceptUpgrade(Request("permessage-deflate"), nullptr, false).deflate);
  const Handshake widest = AcceptUpgrade(Request("permessage-deflate"), nullptr, true);
  EXPECT_TRUE(widest.may_share_deflated());
  const Handshake narrow =
      AcceptUpgrade(Request("permessage-deflate; server_max_window_bits=12"), nullptr, true);
  ASSERT_TRUE(narrow.deflate);
  EXPECT_EQ(narrow.deflate->server_window_bits, 12);
  EXPECT_FALSE(narrow.may_share_deflated());
  EXPECT_THAT(narrow.response, HasSubstr("; server_max_window_bits=12\r\n"));
}

}  // namespace
}  // namespace crier
