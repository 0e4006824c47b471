// What is open to other machines, and when the server refuses to start because of it.
#include "server/exposure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ServerOptions On(const std::string& http, const std::string& grpc) {
  ServerOptions options;
  options.http_listen = http;
  options.grpc_listen = grpc;
  return options;
}

ServerOptions WithTls(ServerOptions options) {
  options.tls.cert_file = "cert.pem";
  options.tls.key_file = "key.pem";
  return options;
}

std::string Refusal(const ServerOptions& options) {
  return std::string(CheckExposure(options).message());
}

TEST(ExposureTest, ThisMachineAloneIsNotOpen) {
  for (const char* address : {"127.0.0.1:0", "[::1]:0", "localhost:0", "127.0.0.1:1,[::1]:1", ""}) {
    EXPECT_EQ(ExposureOf(On(address, "127.0.0.2:0")), "") << address;
    EXPECT_TRUE(CheckExposure(On(address, "127.0.0.2:0")).ok()) << address;
  }
}

TEST(ExposureTest, OtherAddressesAre) {
  for (const char* address : {"0.0.0.0:8000", "[::]:8000", "127.0.0.1:8000,192.0.2.1:8000"}) {
    EXPECT_THAT(ExposureOf(On(address, "")), HasSubstr("no TLS")) << address;
    EXPECT_THAT(ExposureOf(On("", address)), HasSubstr("any user")) << address;
  }
}

TEST(ExposureTest, TheRefusalNamesTheAddressAndWhatIsMissing) {
  const ServerOptions open = On("127.0.0.1:8000,0.0.0.0:8001", "127.0.0.1:50051");
  EXPECT_THAT(Refusal(open), AllOf(HasSubstr("0.0.0.0:8001"), Not(HasSubstr("127.0.0.1:8000")),
                                   HasSubstr("--tls_cert"), HasSubstr("--insecure")));
  EXPECT_THAT(Refusal(WithTls(open)), AllOf(HasSubstr("any user"), Not(HasSubstr("no TLS")),
                                            Not(HasSubstr("--tls_cert "))));
}

TEST(ExposureTest, WhatIsMeantIsTold) {
  ServerOptions open = On("0.0.0.0:8000", "");
  open.insecure = true;
  EXPECT_TRUE(CheckExposure(open).ok());
  EXPECT_THAT(ExposureOf(open), AllOf(HasSubstr("0.0.0.0:8000"), HasSubstr("no TLS")));
}

TEST(ExposureTest, CertificatesThatNameTheUserAreEnough) {
  ServerOptions options = WithTls(On("0.0.0.0:8000", "0.0.0.0:50051"));
  options.tls.client_ca_file = "authority.pem";
  EXPECT_FALSE(CheckExposure(options).ok()) << "it does not say who they are";
  options.tls.user_from = TlsUserFrom::kCommonName;
  EXPECT_TRUE(CheckExposure(options).ok());
  EXPECT_EQ(ExposureOf(options), "");
}

TEST(ExposureTest, AnAdministratorNeedsAKeyWhereOthersReachHisListener) {
  ServerOptions options = WithTls(On("127.0.0.1:0", ""));
  options.admin_listen = "127.0.0.1:0";
  EXPECT_TRUE(CheckExposure(options).ok());
  options.admin_listen = "0.0.0.0:50052";
  // A certificate says who a user is, and not that he may administer.
  options.tls.user_from = TlsUserFrom::kCommonName;
  EXPECT_THAT(Refusal(options), AllOf(HasSubstr("0.0.0.0:50052 may administer the server"),
                                      HasSubstr("--auth_keys"), Not(HasSubstr("--tls_cert "))));
  options.tls.user_from = TlsUserFrom::kNone;
  options.auth.keys.keys = {"public.pem"};
  EXPECT_TRUE(CheckExposure(options).ok());
  options.tls = {};
  EXPECT_THAT(Refusal(options), HasSubstr("0.0.0.0:50052 can read along on the way (no TLS)"));
}

}  // namespace
}  // namespace crier
