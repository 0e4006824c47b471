// Hashes of names that clients choose: nobody outside can make names that collide.
#include "server/base/name_hash.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>

namespace crier {
namespace {

// As a process computes it that has not hashed anything yet.
uint64_t HashInAnotherProcess(std::string_view name) {
  int ends[2];
  if (::pipe(ends) != 0) return 0;
  const pid_t child = ::fork();
  if (child == 0) {
    const uint64_t hash = HashName(name);
    const bool sent = ::write(ends[1], &hash, sizeof(hash)) == sizeof(hash);
    ::_exit(sent ? 0 : 1);
  }
  uint64_t hash = 0;
  EXPECT_EQ(::read(ends[0], &hash, sizeof(hash)), ssize_t{sizeof(hash)});
  int status = 1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  return hash;
}

// In this order: the key is made when something is hashed first.
TEST(NameHashTest, DiffersFromProcessToProcessAndNotWithinOne) {
  EXPECT_NE(HashInAnotherProcess("topic"), HashInAnotherProcess("topic"));
  EXPECT_EQ(HashName("topic"), HashName("topic"));
  EXPECT_EQ(DigestName("topic"), DigestName("topic"));
}

// The names of an attack on std::hash's and FNV's kind: alike but for a few bits.
TEST(NameHashTest, NamesThatAreAlikeDoNotCollide) {
  std::set<uint64_t> hashes;
  std::set<uint64_t> low_bits;
  constexpr int kNames = 13'000;
  for (int i = 0; i < kNames; ++i) {
    const uint64_t hash = HashName(std::string(8, '\0') + std::to_string(i));
    hashes.insert(hash);
    low_bits.insert(hash % (1 << 16));
  }
  EXPECT_EQ(hashes.size(), size_t{kNames});
  // Thrown at random into 65,536 places, 13,000 names take about 11,800 of them.
  EXPECT_GT(low_bits.size(), 11'000u);
}

}  // namespace
}  // namespace crier
