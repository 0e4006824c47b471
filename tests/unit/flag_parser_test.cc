#include "server/flag_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/reflection.h"

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

// A file that lives as long as this object.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& text)
      : path_(::testing::TempDir() + "crier_flags_" + std::to_string(::getpid()) + "_" + name) {
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class FlagParserTest : public ::testing::Test {
 protected:
  static FlagOrigins Parse(const std::vector<std::string>& arguments) {
    const absl::StatusOr<FlagOrigins> origins = ParseFlags(arguments);
    EXPECT_TRUE(origins.ok()) << origins.status();
    return origins.ok() ? *origins : FlagOrigins();
  }

  static std::string ErrorOf(const std::vector<std::string>& arguments) {
    const absl::StatusOr<FlagOrigins> origins = ParseFlags(arguments);
    EXPECT_FALSE(origins.ok());
    const std::string message(origins.status().message());
    EXPECT_THAT(message, Not(HasSubstr("\n")));
    return message;
  }

  static std::string ValueOf(const std::string& flag) {
    return absl::FindCommandLineFlag(flag)->CurrentValue();
  }

 private:
  const absl::FlagSaver saver_;
};

TEST_F(FlagParserTest, TakesEveryFormOfAFlag) {
  const FlagOrigins origins = Parse({"--shards=3", "-max_errors", "7", "--enable_echo",
                                     "--noio_uring", "--compression=true", "--"});
  EXPECT_EQ(ValueOf("shards"), "3");
  EXPECT_EQ(ValueOf("max_errors"), "7");
  EXPECT_EQ(ValueOf("enable_echo"), "true");
  EXPECT_EQ(ValueOf("io_uring"), "false");
  EXPECT_EQ(ValueOf("compression"), "true");
  EXPECT_THAT(origins, UnorderedElementsAre(Pair("shards", ""), Pair("max_errors", ""),
                                            Pair("enable_echo", ""), Pair("io_uring", ""),
                                            Pair("compression", "")));
}

TEST_F(FlagParserTest, ASwitchDoesNotTakeTheNextArgument) {
  Parse({"--enable_echo", "--shards=2"});
  EXPECT_THAT(ErrorOf({"--enable_echo", "false"}), HasSubstr("'false' is not a flag"));
}

TEST_F(FlagParserTest, TheLastOfSeveralValuesCounts) {
  const TemporaryFile file("order", "--shards=2\n");
  Parse({"--shards=1", "--flagfile=" + file.path()});
  EXPECT_EQ(ValueOf("shards"), "2");
  const FlagOrigins origins = Parse({"--flagfile=" + file.path(), "--shards=1"});
  EXPECT_EQ(ValueOf("shards"), "1");
  EXPECT_THAT(origins, UnorderedElementsAre(Pair("shards", "")));
}

TEST_F(FlagParserTest, AMisspeltFlagIsNamedWithTheOneThatWasMeant) {
  EXPECT_THAT(ErrorOf({"--http-listen=127.0.0.1:1"}),
              AllOf(HasSubstr("--http-listen: "), HasSubstr("did you mean --http_listen?")));
  EXPECT_THAT(ErrorOf({"--shrads=2"}), HasSubstr("did you mean --shards?"));
  EXPECT_THAT(ErrorOf({"--flag-file=x"}), HasSubstr("did you mean --flagfile?"));
  EXPECT_THAT(ErrorOf({"--nonsense_of_all_kinds"}),
              AllOf(HasSubstr("there is no such flag"), HasSubstr("crierd --help"),
                    Not(HasSubstr("did you mean"))));
}

TEST_F(FlagParserTest, AWrongValueIsNamedWithWhatWouldBeRight) {
  EXPECT_THAT(ErrorOf({"--shards=many"}),
              AllOf(HasSubstr("--shards=many"), HasSubstr("whole number")));
  EXPECT_THAT(ErrorOf({"--max_body_bytes=-1"}),
              AllOf(HasSubstr("--max_body_bytes=-1"), HasSubstr("cannot be negative")));
  EXPECT_THAT(ErrorOf({"--drain_time"}), AllOf(HasSubstr("value is missing"), HasSubstr("25s")));
  EXPECT_THAT(ErrorOf({"--noshards"}), AllOf(HasSubstr("not a switch"), HasSubstr("--shards=")));
  EXPECT_THAT(ErrorOf({"--nocompression=true"}), HasSubstr("--compression=false"));
  EXPECT_THAT(ErrorOf({"--flagfile"}), HasSubstr("--flagfile=FILE"));
}

TEST_F(FlagParserTest, AFileMayHaveCommentsEmptyLinesAndCrlf) {
  const TemporaryFile file(
      "crlf", "\xEF\xBB\xBF# a comment\r\n\r\n--shards=3\r\n  --enable_echo  \r\n-max_errors=7");
  const FlagOrigins origins = Parse({"--flagfile=" + file.path()});
  EXPECT_EQ(ValueOf("shards"), "3");
  EXPECT_EQ(ValueOf("enable_echo"), "true");
  EXPECT_EQ(ValueOf("max_errors"), "7");
  EXPECT_EQ(origins.at("shards"), file.path() + ":3");
}

TEST_F(FlagParserTest, AWrongLineIsNamedByFileAndNumber) {
  const auto error_of_line = [](const std::string& line) {
    const TemporaryFile file("line", "# a comment\n\n" + line + "\n--shards=1\n");
    std::string error = ErrorOf({"--flagfile=" + file.path()});
    EXPECT_THAT(error, StartsWith(file.path() + ":3: "));
    return error;
  };
  EXPECT_THAT(error_of_line("--shards=many"), HasSubstr("--shards=many: write a whole number"));
  EXPECT_THAT(error_of_line("--shrads=3"), HasSubstr("did you mean --shards?"));
  EXPECT_THAT(error_of_line("shards 3"), HasSubstr("'shards 3' is not a flag"));
  EXPECT_THAT(error_of_line("--shards 3"), HasSubstr("write --FLAG=VALUE"));
  EXPECT_THAT(error_of_line("--shards"), HasSubstr("value is missing"));
  EXPECT_THAT(error_of_line("--"), HasSubstr("is not a flag"));
  EXPECT_THAT(error_of_line("--flagfile=/no/such/file"), HasSubstr("/no/such/file"));
}

TEST_F(FlagParserTest, AFileMayNameAnotherButNotItself) {
  const TemporaryFile inner("inner", "--shards=5\n");
  const TemporaryFile outer("outer", "--flagfile=" + inner.path() + "\n--max_errors=9\n");
  Parse({"--flagfile=" + outer.path()});
  EXPECT_EQ(ValueOf("shards"), "5");
  EXPECT_EQ(ValueOf("max_errors"), "9");
  const std::string path = ::testing::TempDir() + "crier_flags_loop";
  std::ofstream(path) << "--flagfile=" << path << "\n";
  EXPECT_THAT(ErrorOf({"--flagfile=" + path}),
              AllOf(StartsWith(path + ":1: "), HasSubstr("includes itself")));
  std::remove(path.c_str());
}

TEST_F(FlagParserTest, AFileThatCannotBeReadIsNamed) {
  EXPECT_THAT(ErrorOf({"--flagfile=/no/such/file"}),
              AllOf(HasSubstr("/no/such/file"), HasSubstr("No such file")));
  EXPECT_THAT(ErrorOf({"--flagfile=" + ::testing::TempDir()}), HasSubstr("directory"));
}

TEST_F(FlagParserTest, ReadsTheEnvironment) {
  ::setenv("FLAGS_shards", "4", 1);
  ::unsetenv("FLAGS_max_errors");
  const FlagOrigins origins = Parse({"--fromenv=shards", "--tryfromenv=max_errors"});
  EXPECT_EQ(ValueOf("shards"), "4");
  EXPECT_THAT(origins, UnorderedElementsAre(Pair("shards", "FLAGS_shards in the environment")));
  EXPECT_THAT(ErrorOf({"--fromenv=max_errors"}),
              AllOf(HasSubstr("FLAGS_max_errors"), HasSubstr("--tryfromenv")));
  EXPECT_THAT(ErrorOf({"--fromenv=shrads"}), HasSubstr("did you mean shards?"));
  ::setenv("FLAGS_shards", "many", 1);
  EXPECT_THAT(ErrorOf({"--fromenv=shards"}),
              AllOf(HasSubstr("FLAGS_shards in the environment"), HasSubstr("--shards=many")));
  ::unsetenv("FLAGS_shards");
}

}  // namespace
}  // namespace crier
