// A hash map with string keys that is looked up by std::string_view. Clients choose the keys, so
// the hash is keyed (name_hash.h).
//
// Debian's build of Abseil has its own string_view, so absl's default string hash does not accept
// std::string_view. These functors accept it, with any build of Abseil.
#ifndef CRIER_SERVER_BASE_STRING_MAP_H_
#define CRIER_SERVER_BASE_STRING_MAP_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "server/base/name_hash.h"

namespace crier {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const { return HashName(key); }
};

struct StringEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

template <typename Value>
using StringMap = absl::flat_hash_map<std::string, Value, StringHash, StringEqual>;

}  // namespace crier

#endif  // CRIER_SERVER_BASE_STRING_MAP_H_
