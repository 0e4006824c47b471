// What crierd refuses to start with, and what it says then; and --check, which only says it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/support/child_process.h"
#include "tests/support/crierd_process.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What crierd says when it refuses to start; checks that this is one line, and exit status 2.
std::string RefusalOf(const ChildProcess::Options& options) {
  ChildProcess crierd(CrierdPath(), options);
  EXPECT_EQ(crierd.WaitForExit(), 2);
  EXPECT_EQ(std::count(crierd.err().begin(), crierd.err().end(), '\n'), 1) << crierd.err();
  EXPECT_THAT(crierd.err(), AllOf(StartsWith("crierd: "), EndsWith("\n")));
  EXPECT_EQ(crierd.out(), "");
  return crierd.err();
}

std::string RefusalOf(const std::vector<std::string>& arguments) {
  return RefusalOf({.arguments = arguments, .environment = {}, .descriptors = {}});
}

TEST(RefusalTest, AWrongFlagIsNamedWithTheOneThatWasMeant) {
  EXPECT_THAT(RefusalOf({"--shrads=2"}),
              AllOf(HasSubstr("--shrads"), HasSubstr("--shards"), HasSubstr("--help")));
  EXPECT_THAT(RefusalOf({"--http-listen=127.0.0.1:0"}), HasSubstr("did you mean --http_listen?"));
}

TEST(RefusalTest, FlagsThatDoNotFitTogetherAreBothNamed) {
  EXPECT_THAT(RefusalOf({"--max_body_bytes=1MiB"}),
              AllOf(HasSubstr("--max_body_bytes=1MiB does not fit"),
                    HasSubstr("--topic_log_bytes=1MiB (its default)")));
}

TEST(RefusalTest, AWrongValueIsNamedWithWhatWouldBeRight) {
  EXPECT_THAT(RefusalOf({"--shards=many"}),
              AllOf(HasSubstr("--shards=many"), HasSubstr("whole number")));
  EXPECT_THAT(RefusalOf({"--shards=-1"}),
              AllOf(HasSubstr("--shards=-1"), HasSubstr("whole number from 0 to 256")));
  EXPECT_THAT(RefusalOf({"--shards=1000"}),
              AllOf(HasSubstr("--shards=1000"), HasSubstr("from 0 to 256")));
  EXPECT_THAT(RefusalOf({"--ping_interval=25"}),
              AllOf(HasSubstr("--ping_interval=25"), HasSubstr("25s")));
  EXPECT_THAT(RefusalOf({"--max_body_bytes=64KB"}),
              AllOf(HasSubstr("--max_body_bytes=64KB"), HasSubstr("64KiB")));
  EXPECT_THAT(RefusalOf({"--slow_consumer_policy=drop"}),
              AllOf(HasSubstr("--slow_consumer_policy=drop"), HasSubstr("skip or close")));
  EXPECT_THAT(RefusalOf({"--http_listen=127.0.0.1"}),
              AllOf(HasSubstr("--http_listen=127.0.0.1"), HasSubstr("HOST:PORT")));
  EXPECT_THAT(RefusalOf({"--compression=perhaps"}),
              AllOf(HasSubstr("--compression=perhaps"), HasSubstr("true or false")));
  EXPECT_THAT(RefusalOf({"--drain_time"}), AllOf(HasSubstr("--drain_time"), HasSubstr("25s")));
  EXPECT_THAT(RefusalOf({"8000"}), AllOf(HasSubstr("'8000'"), HasSubstr("--FLAG=VALUE")));
}

TEST(RefusalTest, ATakenPortIsNamed) {
  CrierdProcess first;
  ASSERT_TRUE(first.ready());
  EXPECT_THAT(RefusalOf({"--http_listen=" + first.http(), "--grpc_listen=127.0.0.1:0"}),
              AllOf(HasSubstr("--http_listen"), HasSubstr(first.http()), HasSubstr("taken")));
  EXPECT_THAT(RefusalOf({"--http_listen=127.0.0.1:0", "--grpc_listen=" + first.grpc()}),
              AllOf(HasSubstr("--grpc_listen"), HasSubstr(first.grpc()), HasSubstr("taken")));
  EXPECT_THAT(RefusalOf({"--http_listen=127.0.0.1:0", "--grpc_listen=127.0.0.1:0",
                         "--admin_listen=" + first.admin()}),
              AllOf(HasSubstr("--admin_listen"), HasSubstr(first.admin()), HasSubstr("taken")));
}

TEST(RefusalTest, AHostThatCannotBeFoundIsNamed) {
  EXPECT_THAT(RefusalOf({"--http_listen=no.such.host.invalid:1", "--grpc_listen=127.0.0.1:0"}),
              HasSubstr("no.such.host.invalid"));
}

TEST(RefusalTest, AFlagFileThatCannotBeReadIsNamed) {
  EXPECT_THAT(RefusalOf({"--flagfile=/no/such/file"}), HasSubstr("/no/such/file"));
}

TEST(RefusalTest, AWrongLineOfAFlagFileIsNamed) {
  const ScratchFolder folder;
  // The form of a value is checked when it is read, its range when all flags are there.
  for (const char* line : {"--shards=many", "--shards=1000", "shards 2", "--shrads"}) {
    const std::string file = folder.Write("wrong", std::string("# a comment\n") + line + "\n");
    EXPECT_THAT(RefusalOf({"--flagfile=" + file}),
                AllOf(HasSubstr(file + ":2: "), HasSubstr(line)));
  }
}

TEST(RefusalTest, AWrongValueInTheEnvironmentIsNamed) {
  EXPECT_THAT(RefusalOf({.arguments = {"--fromenv=shards"},
                         .environment = {{"FLAGS_shards", "many"}},
                         .descriptors = {}}),
              AllOf(HasSubstr("shards=many"), HasSubstr("whole number")));
}

TEST(RefusalTest, NoTransportAtAll) {
  EXPECT_THAT(RefusalOf({"--http_listen=", "--grpc_listen="}),
              AllOf(HasSubstr("--http_listen"), HasSubstr("--grpc_listen"), HasSubstr("empty")));
}

TEST(RefusalTest, OpenToOthersWithoutAWord) {
  EXPECT_THAT(RefusalOf({"--http_listen=0.0.0.0:0", "--grpc_listen=127.0.0.1:0"}),
              AllOf(HasSubstr("0.0.0.0:0"), HasSubstr("--tls_cert"), HasSubstr("--insecure")));
}

TEST(RefusalTest, WithAWordItStartsAndSaysWhatIsOpen) {
  CrierdProcess crierd({"--http_listen=0.0.0.0:0", "--insecure"});
  ASSERT_TRUE(crierd.ready());
  EXPECT_TRUE(crierd.WaitUntil([&] {
    return crierd.err().find("--insecure: whoever reaches 0.0.0.0:0") != std::string::npos;
  })) << crierd.err();
}

TEST(RefusalTest, FilesForTls) {
  const ScratchFolder folder;
  const Certificate made = MakeCertificate("localhost", "DNS:localhost");
  const std::string cert = "--tls_cert=" + folder.Write("cert.pem", made.certificate);
  EXPECT_THAT(RefusalOf({cert}), HasSubstr("--tls_key"));
  EXPECT_THAT(RefusalOf({cert, "--tls_key=/no/such/file"}), HasSubstr("/no/such/file"));
  EXPECT_THAT(RefusalOf({"--tls_user_from=cn"}), HasSubstr("--tls_client_ca"));
}

TEST(CheckTest, SaysWhatIsWrongAndStartsNothing) {
  EXPECT_THAT(RefusalOf({"--check", "--shards=many"}), HasSubstr("--shards=many"));
  EXPECT_THAT(RefusalOf({"--check", "--http_listen=0.0.0.0:0"}), HasSubstr("--insecure"));
  EXPECT_THAT(RefusalOf({"--check", "--tls_cert=/no/such/file", "--tls_key=/no/such/key"}),
              HasSubstr("/no/such/file"));
}

TEST(CheckTest, SaysThatAllIsRight) {
  const ScratchFolder folder;
  const Certificate made = MakeCertificate("localhost", "DNS:localhost");
  ChildProcess crierd(CrierdPath(),
                      {.arguments = {"--check", "--http_listen=127.0.0.1:0",
                                     "--tls_cert=" + folder.Write("cert.pem", made.certificate),
                                     "--tls_key=" + folder.Write("key.pem", made.key)},
                       .environment = {},
                       .descriptors = {}});
  EXPECT_EQ(crierd.WaitForExit(), 0) << crierd.err();
  EXPECT_THAT(crierd.out(), HasSubstr("right"));
}

}  // namespace
}  // namespace crier::testing
