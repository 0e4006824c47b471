// Abseil's string functions for std::string_view.
#ifndef CRIER_CLIENT_TEXT_H_
#define CRIER_CLIENT_TEXT_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace crier {

// Debian's build of Abseil has its own string_view, and std::string_view does not convert to it.
inline absl::string_view ForAbsl(std::string_view text) { return {text.data(), text.size()}; }
template <typename T>
const T& ForAbsl(const T& other) {
  return other;
}

// absl::StrCat and absl::StrAppend, with std::string_view among the parts too.
template <typename... T>
std::string Concat(const T&... parts) {
  return absl::StrCat(ForAbsl(parts)...);
}
template <typename... T>
void AppendTo(std::string* out, const T&... parts) {
  absl::StrAppend(out, ForAbsl(parts)...);
}

// The text before and after the first `separator`. If there is none: all of it, and nothing.
inline std::pair<std::string_view, std::string_view> SplitOnce(std::string_view text,
                                                               char separator) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace crier

#endif  // CRIER_CLIENT_TEXT_H_
