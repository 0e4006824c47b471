// Decompresses what is there as a whole, by zlib.
#ifndef CRIER_SERVER_BASE_INFLATE_H_
#define CRIER_SERVER_BASE_INFLATE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace crier {

enum class CompressedFormat { kGzip, kZlib };

// What `bytes` hold. More than `most` bytes of it: the first most + 1, so that the caller can tell.
// nullopt: they are not of this format, or cut off, or something follows; or there is no memory.
// Thread-safe.
std::optional<std::string> InflateWhole(std::string_view bytes, CompressedFormat format,
                                        size_t most);

}  // namespace crier

#endif  // CRIER_SERVER_BASE_INFLATE_H_
