#include "server/grpc/timeout.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace crier {

std::optional<std::chrono::nanoseconds> ParseGrpcTimeout(std::string_view text) {
  constexpr size_t kMostDigits = 8;
  constexpr uint32_t kMostHours = 24 * 365 * 100;  // nanoseconds have room for 292 years
  if (text.size() < 2 || text.size() > kMostDigits + 1) return std::nullopt;
  const char* const unit = text.data() + text.size() - 1;
  uint32_t count = 0;
  if (const auto parsed = std::from_chars(text.data(), unit, count); parsed.ptr != unit) {
    return std::nullopt;
  }
  switch (text.back()) {
    case 'H':
      return std::chrono::hours(std::min(count, kMostHours));
    case 'M':
      return std::chrono::minutes(count);
    case 'S':
      return std::chrono::seconds(count);
    case 'm':
      return std::chrono::milliseconds(count);
    case 'u':
      return std::chrono::microseconds(count);
    case 'n':
      return std::chrono::nanoseconds(count);
    default:
      return std::nullopt;
  }
}

}  // namespace crier
