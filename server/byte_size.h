// The type of flags whose value is a number of bytes.
#ifndef CRIER_SERVER_BYTE_SIZE_H_
#define CRIER_SERVER_BYTE_SIZE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace crier {

// Written as "65536", "64KiB", "1MiB" or "2GiB".
struct ByteSize {
  uint64_t bytes = 0;
  friend bool operator==(const ByteSize&, const ByteSize&) = default;
};

// Abseil's flags call these functions: abseil.io, "Defining flags with custom types".
bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error);
std::string AbslUnparseFlag(const ByteSize& size);

}  // namespace crier

#endif  // CRIER_SERVER_BYTE_SIZE_H_
