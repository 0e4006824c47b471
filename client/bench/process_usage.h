// The CPU time and memory of a process.
#ifndef CRIER_CLIENT_BENCH_PROCESS_USAGE_H_
#define CRIER_CLIENT_BENCH_PROCESS_USAGE_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace crier::bench {

struct ProcessUsage {
  double cpu_seconds = 0;  // User and system; another process's in steps of 10 ms.
  uint64_t rss_bytes = 0;
  uint64_t rss_file_bytes = 0;  // Of it what is mapped from files: code, for the most part.
  uint64_t peak_rss_bytes = 0;  // Since the process began.
};

// Reads /proc. NOT_FOUND: there is no such process.
absl::StatusOr<ProcessUsage> UsageOf(uint64_t pid);

// CPU seconds of this process.
double OwnCpuSeconds();

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_PROCESS_USAGE_H_
