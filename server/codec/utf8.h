// UTF-8. Fast where text is ASCII mostly.
#ifndef CRIER_SERVER_CODEC_UTF8_H_
#define CRIER_SERVER_CODEC_UTF8_H_

#include <cstddef>
#include <string_view>

namespace crier {

// Where the first sequence begins that is not well-formed (The Unicode Standard, table 3-7: no
// overlong forms, no surrogates, nothing past U+10FFFF); text.size() where all of it is.
size_t FirstInvalidUtf8(std::string_view text);

// The longest prefix of at most `limit` bytes that cuts no sequence in two. REQUIRES: valid UTF-8.
std::string_view Utf8Prefix(std::string_view text, size_t limit);

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_UTF8_H_
