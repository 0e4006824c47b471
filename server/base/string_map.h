// A hash map with string keys that is looked up by std::string_view.
//
// Debian builds Abseil with a string_view of its own, so absl's default string hash does not take
// std::string_view; these functors do, with any build of Abseil.
#ifndef CRIER_SERVER_BASE_STRING_MAP_H_
#define CRIER_SERVER_BASE_STRING_MAP_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace crier {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};

struct StringEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

template <typename Value>
using StringMap = absl::flat_hash_map<std::string, Value, StringHash, StringEqual>;

}  // namespace crier

#endif  // CRIER_SERVER_BASE_STRING_MAP_H_
