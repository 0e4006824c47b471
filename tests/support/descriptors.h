// For tests that open many descriptors.
#ifndef CRIER_TESTS_SUPPORT_DESCRIPTORS_H_
#define CRIER_TESTS_SUPPORT_DESCRIPTORS_H_

#include <sys/resource.h>

#include <cstring>
#include <string>

namespace crier::testing {

// Lets this process have at least `needed` descriptors open, by raising its soft limit where that
// is lower. Empty: done. Else one line that says why not:
//   if (const std::string why = AllowDescriptors(3000); !why.empty()) GTEST_SKIP() << why;
inline std::string AllowDescriptors(rlim_t needed) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    if (limit.rlim_cur >= needed) return "";
    if (limit.rlim_max >= needed) {
      limit.rlim_cur = needed;
      if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return "";
    }
  }
  return "needs " + std::to_string(needed) + " descriptors, but the hard limit is " +
         std::to_string(limit.rlim_max) + " (ulimit -Hn)";
}

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_DESCRIPTORS_H_
