#include "server/auth/key_files.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>

#include "tests/support/tokens.h"

namespace crier {
namespace {

using testing::kOtherSecret;
using testing::kTestSecret;
using testing::SignedToken;

class KeyFilesTest : public ::testing::Test {
 protected:
  KeyFilesTest() : files_({.keys = {name_}, .jwks = ""}, &verifier_) {}
  ~KeyFilesTest() override { std::filesystem::remove(name_); }

  // As configurations are changed: another file takes the name.
  void Write(std::string_view content) {
    const std::string fresh = name_ + ".new";
    std::ofstream(fresh, std::ios::binary) << content;
    std::filesystem::rename(fresh, name_);
  }
  bool Accepts(std::string_view secret) {
    const std::string token = SignedToken(R"({"sub":"alice","exp":1700000100})", "HS256", secret);
    return std::holds_alternative<Grant>(verifier_.Verify(token, 1'700'000'000));
  }

  const std::string name_ = ::testing::TempDir() + "crier_key_files_test." +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name();
  TokenVerifier verifier_{TokenRules{}};
  KeyFiles files_;
};

TEST_F(KeyFilesTest, AChangedFileIsReadAgain) {
  Write(kTestSecret);
  ASSERT_TRUE(files_.Load().ok());
  EXPECT_TRUE(Accepts(kTestSecret));
  EXPECT_FALSE(Accepts(kOtherSecret));
  Write(kOtherSecret);
  files_.ReloadIfChanged();
  EXPECT_TRUE(Accepts(kOtherSecret));
  EXPECT_FALSE(Accepts(kTestSecret));
}

TEST_F(KeyFilesTest, ABadFileKeepsTheKeysOfBefore) {
  Write(kTestSecret);
  ASSERT_TRUE(files_.Load().ok());
  Write("short");
  files_.ReloadIfChanged();
  EXPECT_TRUE(Accepts(kTestSecret));
  std::filesystem::remove(name_);
  files_.ReloadIfChanged();
  EXPECT_TRUE(Accepts(kTestSecret));
  files_.Reload();
  EXPECT_TRUE(Accepts(kTestSecret));
  Write(kOtherSecret);
  files_.ReloadIfChanged();
  EXPECT_TRUE(Accepts(kOtherSecret));
}

TEST_F(KeyFilesTest, TheErrorNamesTheFlagAndTheFile) {
  EXPECT_EQ(std::string(files_.Load().message()),
            "--auth_keys: " + name_ + ": No such file or directory");
  Write("short");
  EXPECT_EQ(
      std::string(files_.Load().message()),
      "--auth_keys: " + name_ +
          ": a secret has 5 bytes; it needs at least 32 for HS256, 48 for HS384, 64 for HS512");
  Write(std::string((256 << 10) + 1, 'x'));
  EXPECT_EQ(std::string(files_.Load().message()),
            "--auth_keys: " + name_ + ": it has more than 256 KiB, so it holds no keys");
  Write("{}");
  KeyFiles jwks({.keys = {}, .jwks = name_}, &verifier_);
  EXPECT_TRUE(
      std::string(jwks.Load().message()).starts_with("--auth_jwks: " + name_ + ": the file"));
}

TEST_F(KeyFilesTest, TwoKeysAtOnce) {
  Write(kTestSecret);
  const std::string second = name_ + ".second";
  std::ofstream(second, std::ios::binary) << kOtherSecret << "\n";
  KeyFiles both({.keys = {name_, second}, .jwks = ""}, &verifier_);
  const absl::Status loaded = both.Load();
  std::filesystem::remove(second);
  ASSERT_TRUE(loaded.ok()) << loaded;
  EXPECT_TRUE(Accepts(kTestSecret));
  EXPECT_TRUE(Accepts(kOtherSecret));
}

}  // namespace
}  // namespace crier
