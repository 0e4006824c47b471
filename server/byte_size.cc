#include "server/byte_size.h"

#include <charconv>
#include <limits>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace crier {
namespace {

struct Unit {
  std::string_view name;
  int shift;
};
// Largest first, because AbslUnparseFlag tries them in this order.
constexpr Unit kUnits[] = {{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}};

}  // namespace

bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, number);
  if (failed == std::errc()) {
    for (const Unit& unit : kUnits) {
      if (std::string_view(rest, static_cast<size_t>(end - rest)) != unit.name) continue;
      if (number > std::numeric_limits<uint64_t>::max() >> unit.shift) break;
      size->bytes = number << unit.shift;
      return true;
    }
  }
  *error = "write a number of bytes, e.g. 65536, 64KiB or 1MiB";
  return false;
}

std::string AbslUnparseFlag(const ByteSize& size) {
  for (const Unit& unit : kUnits) {
    const uint64_t number = size.bytes >> unit.shift;
    if (number != 0 && number << unit.shift == size.bytes) {
      return absl::StrCat(number, std::string(unit.name));
    }
  }
  return "0";
}

}  // namespace crier
