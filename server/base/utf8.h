// UTF-8 checks. Fast if the text is mostly ASCII.
#ifndef CRIER_SERVER_BASE_UTF8_H_
#define CRIER_SERVER_BASE_UTF8_H_

#include <cstddef>
#include <string_view>

namespace crier {

// The position of the first sequence that is not well-formed (The Unicode Standard, table 3-7: no
// overlong forms, no surrogates, nothing past U+10FFFF). text.size() if all of it is well-formed.
size_t FirstInvalidUtf8(std::string_view text);

// True if `text` is one sequence that was cut: not well-formed yet, but more bytes can make it so.
bool IsCutUtf8(std::string_view text);

// The longest prefix of at most `limit` bytes that does not cut a sequence. REQUIRES: valid UTF-8.
std::string_view Utf8Prefix(std::string_view text, size_t limit);

}  // namespace crier

#endif  // CRIER_SERVER_BASE_UTF8_H_
