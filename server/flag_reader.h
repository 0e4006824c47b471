// Reads the values of flags and checks them.
#ifndef CRIER_SERVER_FLAG_READER_H_
#define CRIER_SERVER_FLAG_READER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/byte_size.h"
#include "server/flag_parser.h"
#include "server/net/listen_address.h"

namespace crier {

// Reads flags, as they are set now, and remembers the first wrong one: a line that names the flag,
// its value and what would be right; and where it does not stand on the command line, where.
class FlagReader {
 public:
  explicit FlagReader(const FlagOrigins& origins) : origins_(origins) {}

  uint32_t Number(const absl::Flag<int64_t>& flag, uint32_t low, uint32_t high) {
    const int64_t value = absl::GetFlag(flag);
    Require(low <= value && value <= high, flag,
            absl::StrCat("has to be a whole number from ", low, " to ", high));
    return static_cast<uint32_t>(value);
  }

  size_t Bytes(const absl::Flag<ByteSize>& flag, ByteSize low, ByteSize high) {
    const ByteSize value = absl::GetFlag(flag);
    Require(low.bytes <= value.bytes && value.bytes <= high.bytes, flag,
            absl::StrCat("has to be from ", AbslUnparseFlag(low), " to ", AbslUnparseFlag(high)));
    return value.bytes;
  }

  std::chrono::milliseconds Time(const absl::Flag<absl::Duration>& flag, absl::Duration low,
                                 absl::Duration high) {
    const absl::Duration value = absl::GetFlag(flag);
    Require(low <= value && value <= high, flag,
            absl::StrCat("has to be from ", absl::FormatDuration(low), " to ",
                         absl::FormatDuration(high)));
    return absl::ToChronoMilliseconds(value);
  }

  // Empty: do not listen.
  std::string Addresses(const absl::Flag<std::string>& flag) {
    std::string value = absl::GetFlag(flag);
    absl::StripAsciiWhitespace(&value);
    if (value.empty()) return value;
    const absl::Status status = ParseListenAddresses(value).status();
    Require(status.ok(), flag, std::string(status.message()));
    return value;
  }

  // A list with a form of its own.
  template <typename List>
  void Parse(const absl::Flag<std::string>& flag, absl::StatusOr<List> (*parse)(std::string_view),
             List* list) {
    absl::StatusOr<List> parsed = parse(absl::GetFlag(flag));
    Require(parsed.ok(), flag, std::string(parsed.status().message()));
    if (parsed.ok()) *list = *std::move(parsed);
  }

  template <typename T>
  void Require(bool right, const absl::Flag<T>& flag, const std::string& what_is_right) {
    if (right) return;
    Fail(Where(flag) + Named(flag) + ": " + what_is_right);
  }

  // Of two flags that have to fit together: names both, and says which of them was given.
  template <typename T, typename U>
  void RequireFit(bool fits, const absl::Flag<T>& flag, const absl::Flag<U>& other,
                  const std::string& rule) {
    if (fits) return;
    // First the one that its user has just written.
    if (!Given(flag) && Given(other)) return RequireFit(fits, other, flag, rule);
    Fail(absl::StrCat(Where(flag), Named(flag), " does not fit ", Named(other), " (",
                      Given(other) ? "given too" : "its default", "): ", rule));
  }

  template <typename T>
  static std::string Named(const absl::Flag<T>& flag) {
    const absl::CommandLineFlag& reflection = absl::GetFlagReflectionHandle(flag);
    return absl::StrCat("--", reflection.Name(), "=", reflection.CurrentValue());
  }

  void Fail(const std::string& message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(message);
  }
  const absl::Status& status() const { return status_; }

 private:
  template <typename T>
  bool Given(const absl::Flag<T>& flag) const {
    const absl::CommandLineFlag& reflection = absl::GetFlagReflectionHandle(flag);
    return origins_.contains(std::string(reflection.Name())) ||
           reflection.CurrentValue() != reflection.DefaultValue();
  }

  // "crier.flags:3: "; empty for the command line.
  template <typename T>
  std::string Where(const absl::Flag<T>& flag) const {
    const auto found = origins_.find(std::string(absl::GetFlagReflectionHandle(flag).Name()));
    return found == origins_.end() || found->second.empty() ? "" : found->second + ": ";
  }

  const FlagOrigins& origins_;
  absl::Status status_;
};

}  // namespace crier

#endif  // CRIER_SERVER_FLAG_READER_H_
