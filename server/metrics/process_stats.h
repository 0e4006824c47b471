// The kernel's figures about this process.
#ifndef CRIER_SERVER_METRICS_PROCESS_STATS_H_
#define CRIER_SERVER_METRICS_PROCESS_STATS_H_

#include <cstddef>
#include <optional>

namespace crier {

// If /proc cannot be read (no descriptor left, or not mounted), its figures are absent.
struct ProcessStats {
  double cpu_seconds = 0;  // user and system
  std::optional<double> resident_bytes;
  std::optional<double> virtual_bytes;
  std::optional<double> open_descriptors;
  double max_descriptors = 0;           // the soft limit; infinity if there is none
  std::optional<double> start_seconds;  // since 1970
};

// Thread-safe.
ProcessStats ReadProcessStats();

// The number of open descriptors of this process. Thread-safe.
std::optional<size_t> OpenDescriptorCount();

}  // namespace crier

#endif  // CRIER_SERVER_METRICS_PROCESS_STATS_H_
