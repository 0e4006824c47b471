#include "server/auth/key_files.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/auth/key_parser.h"

namespace crier {
namespace {

// Far more than keys need; somebody may have named another file.
constexpr size_t kMaxFileBytes = 256 << 10;

absl::StatusOr<std::string> ReadFile(const std::string& name) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) return absl::NotFoundError(std::strerror(errno));
  std::string content(kMaxFileBytes + 1, '\0');
  content.resize(std::fread(content.data(), 1, content.size(), file.get()));
  if (std::ferror(file.get()) != 0) return absl::InternalError("it cannot be read");
  if (content.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError("it has more than 256 KiB, so it holds no keys");
  }
  return content;
}

absl::Status InFile(const char* flag, const std::string& name, const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": ", name, ": ", std::string(status.message())));
}

}  // namespace

KeyFiles::KeyFiles(Names names, TokenVerifier* verifier)
    : names_(std::move(names)), verifier_(verifier) {}

absl::Status KeyFiles::Load() {
  // Before reading: what changes meanwhile is read again.
  read_ = Stamps();
  absl::StatusOr<std::vector<VerifyingKey>> keys = ReadAll();
  if (!keys.ok()) return keys.status();
  count_ = keys->size();
  verifier_->SetKeys(*std::move(keys));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<VerifyingKey>> KeyFiles::ReadAll() {
  std::vector<VerifyingKey> all;
  const auto add = [&all](std::vector<VerifyingKey> keys) {
    for (VerifyingKey& key : keys) all.push_back(std::move(key));
  };
  for (const std::string& name : names_.keys) {
    const absl::StatusOr<std::string> content = ReadFile(name);
    if (!content.ok()) return InFile("auth_keys", name, content.status());
    absl::StatusOr<std::vector<VerifyingKey>> keys = ParseKeyFile(*content);
    if (!keys.ok()) return InFile("auth_keys", name, keys.status());
    add(*std::move(keys));
  }
  if (!names_.jwks.empty()) {
    const absl::StatusOr<std::string> content = ReadFile(names_.jwks);
    if (!content.ok()) return InFile("auth_jwks", names_.jwks, content.status());
    std::vector<std::string> passed_over;
    absl::StatusOr<std::vector<VerifyingKey>> keys = ParseJwks(*content, &passed_over);
    if (!keys.ok()) return InFile("auth_jwks", names_.jwks, keys.status());
    for (const std::string& key : passed_over) {
      spdlog::info("{}: {} is for another use or of another kind, and is not used", names_.jwks,
                   key);
    }
    add(*std::move(keys));
  }
  if (all.size() > kMaxKeys) {
    return absl::InvalidArgumentError(absl::StrCat("--auth_keys and --auth_jwks have ", all.size(),
                                                   " keys; at most ", kMaxKeys, " are taken"));
  }
  if (const absl::Status status = TokenVerifier::CheckTries(all); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--auth_keys and --auth_jwks: ", std::string(status.message())));
  }
  return all;
}

void KeyFiles::Reload() {
  if (const absl::Status status = Load(); !status.ok()) {
    spdlog::error("{}; the {} keys of before stay in use", std::string(status.message()), count_);
  } else {
    spdlog::info("the keys for tokens were read again: {} of them", count_);
  }
}

void KeyFiles::ReloadIfChanged() {
  if (Stamps() != read_) Reload();
}

std::vector<KeyFiles::Stamp> KeyFiles::Stamps() const {
  std::vector<Stamp> stamps;
  for (const std::string& name : names_.keys) stamps.push_back(StampOf(name));
  if (!names_.jwks.empty()) stamps.push_back(StampOf(names_.jwks));
  return stamps;
}

KeyFiles::Stamp KeyFiles::StampOf(const std::string& name) {
  struct stat info = {};
  if (::stat(name.c_str(), &info) != 0) return {};
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size = info.st_size,
          .changed_nanos = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

}  // namespace crier
