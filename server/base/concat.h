// absl::StrCat for std::string_view. Debian's build of Abseil does not accept it, because that
// build has its own string_view.
#ifndef CRIER_SERVER_BASE_CONCAT_H_
#define CRIER_SERVER_BASE_CONCAT_H_

#include <initializer_list>
#include <string>
#include <string_view>

namespace crier {

inline std::string Concat(std::initializer_list<std::string_view> parts) {
  std::string whole;
  for (std::string_view part : parts) whole.append(part);
  return whole;
}

}  // namespace crier

#endif  // CRIER_SERVER_BASE_CONCAT_H_
