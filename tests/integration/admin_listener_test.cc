// The administrators' listener itself: what it serves besides calls, whom it lets do what, and that
// nobody holds all of its connections.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/admin_fixture.h"
#include "tests/support/loopback.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kJson = "Content-Type: application/json\r\n";

// The answer to a call of SetLogLevel, which would be seen if it were made.
std::string Quieten(const CrierdProcess& crierd, const std::string& headers,
                    const std::string& host = "localhost") {
  const UniqueFd fd = ConnectTo(crierd.admin());
  const std::string body = R"({"level":"off"})";
  EXPECT_TRUE(SendAll(fd.get(), absl::StrCat("POST /crier.v1.Admin/SetLogLevel HTTP/1.1\r\nHost: ",
                                             host, "\r\nConnection: close\r\n", headers,
                                             "Content-Length: ", body.size(), "\r\n\r\n", body)));
  return ReadUntil(fd.get(), "there is no such end");
}

// A connection from this address of the loopback; invalid if it is refused.
UniqueFd ConnectFrom(const char* source, const std::string& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in from{};
  from.sin_family = AF_INET;
  EXPECT_EQ(::inet_pton(AF_INET, source, &from.sin_addr), 1);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from)), 0);
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) return UniqueFd();
  return fd;
}

std::string ReadyOn(const UniqueFd& fd) {
  SendAll(fd.get(), "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return ReadUntil(fd.get(), "\r\n\r\n");
}

TEST(AdminListenerTest, ServesNothingElse) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  EXPECT_THAT(HttpGet(crierd.admin(), "/ws"),
              AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("/crier.v1.Admin/")));
  EXPECT_THAT(HttpGet(crierd.admin(), "/readyz"), StartsWith("HTTP/1.1 200"));
  GrpcClient client(crierd.admin());
  GrpcStream session(client.channel(), "/crier.v1.Messaging/Connect", {});
  EXPECT_EQ(session.Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  // And no other listener serves it.
  GrpcClient clients(crierd.grpc());
  GrpcStream info(clients.channel(), "/crier.v1.Admin/GetServerInfo", {});
  EXPECT_EQ(info.Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST(AdminListenerTest, HasAPageForBrowsers) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  const UniqueFd fd = ConnectTo(crierd.admin());
  SendAll(fd.get(),
          "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(ReadUntil(fd.get(), "there is no such end"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("frame-ancestors 'none'"),
                    HasSubstr("<title>crier admin</title>")));
  EXPECT_THAT(HttpGet(crierd.admin(), "/"), HasSubstr("\r\n\r\ncrier/"));
  EXPECT_THAT(HttpGet(crierd.admin(), "/metrics"), StartsWith("HTTP/1.1 404"));
}

// Without keys nothing but these checks stands between a page in a browser and the server.
TEST(AdminListenerTest, NoPageOfOthersActs) {
  CrierdProcess crierd({"--allowed_origins=https://friend.example"});
  ASSERT_TRUE(crierd.ready());
  const std::string json(kJson);
  for (const std::string& origin :
       {std::string("https://evil.example"), std::string("null"), "http://" + crierd.http(),
        // Whom clients may be is not who may administer.
        std::string("https://friend.example")}) {
    EXPECT_THAT(Quieten(crierd, json + "Origin: " + origin + "\r\n"),
                AllOf(StartsWith("HTTP/1.1 403"), Not(HasSubstr("Access-Control-Allow"))))
        << origin;
  }
  // What a form of a page can send without a preflight request (the fetch standard,
  // "CORS-safelisted request-header").
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded",
                           "multipart/form-data; boundary=x", "text/plain; application/json"}) {
    EXPECT_THAT(Quieten(crierd, absl::StrCat("Content-Type: ", type, "\r\n")),
                StartsWith("HTTP/1.1 415"))
        << type;
  }
  EXPECT_THAT(Quieten(crierd, ""), StartsWith("HTTP/1.1 415"));
  // A name that was made to stand for 127.0.0.1.
  EXPECT_THAT(Quieten(crierd, json, "evil.example"), StartsWith("HTTP/1.1 421"));
  EXPECT_THAT(Quieten(crierd, json + "Origin: http://evil.example\r\n", "evil.example"),
              StartsWith("HTTP/1.1 421"));
  EXPECT_THAT(crierd.err(), Not(HasSubstr("SetLogLevel")));
  // Its own page may.
  EXPECT_THAT(Quieten(crierd, json + "Origin: http://localhost\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST(AdminListenerTest, NobodyHoldsAllConnectionsFromOneAddress) {
  // So that idle connections stay for as long as this takes.
  CrierdProcess crierd({"--admin_listen=0.0.0.0:0", "--insecure", "--handshake_timeout=60s"});
  ASSERT_TRUE(crierd.ready());
  std::vector<UniqueFd> held;
  for (int i = 0; i < 16; ++i) {
    held.push_back(ConnectFrom("127.0.0.2", crierd.admin()));
    // It has its place once it is answered.
    ASSERT_THAT(ReadyOn(held.back()), StartsWith("HTTP/1.1 200"));
  }
  for (int i = 0; i < 20; ++i) {
    const UniqueFd more = ConnectFrom("127.0.0.2", crierd.admin());
    ASSERT_TRUE(WaitForClose(more.get()));
  }
  EXPECT_THAT(ReadyOn(ConnectFrom("127.0.0.3", crierd.admin())), StartsWith("HTTP/1.1 200"));
  held.pop_back();
  EXPECT_TRUE(crierd.WaitUntil([&] {
    return ReadyOn(ConnectFrom("127.0.0.2", crierd.admin())).starts_with("HTTP/1.1 200");
  }));
}

// There, all come from one address anyway.
TEST(AdminListenerTest, OnLoopbackAloneAddressesHaveNoShare) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  std::vector<UniqueFd> held;
  for (int i = 0; i < 30; ++i) {
    held.push_back(ConnectTo(crierd.admin()));
    ASSERT_THAT(ReadyOn(held.back()), StartsWith("HTTP/1.1 200"));
  }
}

}  // namespace
}  // namespace crier::testing
