// Hashes of names that clients choose: topics, users, ids.
//
// Keyed with random bytes of this process, so that nobody outside can make names that collide.
// SipHash-2-4 (Aumasson and Bernstein, 2012), by libsodium. Thread-safe.
#ifndef CRIER_SERVER_BASE_NAME_HASH_H_
#define CRIER_SERVER_BASE_NAME_HASH_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crier {

// For tables. Differs from process to process.
uint64_t HashName(std::string_view name);

// A hash that stands for the name itself: no two names have ever been seen to share one.
struct NameDigest {
  uint64_t high;
  uint64_t low;
  friend bool operator==(const NameDigest&, const NameDigest&) = default;
};
NameDigest DigestName(std::string_view name);

}  // namespace crier

#endif  // CRIER_SERVER_BASE_NAME_HASH_H_
