#include "server/metrics/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>

namespace crier {
namespace {

// The fields of /proc/self/stat that are used here, with their numbers in proc(5).
struct StatFields {
  uint64_t start_ticks = 0;     // (22) after boot
  uint64_t virtual_bytes = 0;   // (23)
  uint64_t resident_pages = 0;  // (24)
};

std::optional<StatFields> ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // (2) is the program's name in parentheses. The name may hold spaces and parentheses.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) rest >> skipped;
  StatFields fields;
  rest >> fields.start_ticks >> fields.virtual_bytes >> fields.resident_pages;
  if (!rest) return std::nullopt;
  return fields;
}

// When the machine started, in seconds since 1970.
std::optional<double> ReadBootSeconds() {
  std::ifstream file("/proc/stat");
  for (std::string key; file >> key;) {
    double seconds = 0;
    if (key == "btime" && file >> seconds) return seconds;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

double ToSeconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  // Finer than /proc/self/stat, which counts in ticks of 10 ms.
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    stats.cpu_seconds = ToSeconds(usage.ru_utime) + ToSeconds(usage.ru_stime);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    stats.max_descriptors = limit.rlim_cur == RLIM_INFINITY
                                ? std::numeric_limits<double>::infinity()
                                : static_cast<double>(limit.rlim_cur);
  }
  if (const std::optional<StatFields> fields = ReadStat()) {
    stats.resident_bytes =
        static_cast<double>(fields->resident_pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    stats.virtual_bytes = static_cast<double>(fields->virtual_bytes);
    if (const std::optional<double> boot = ReadBootSeconds()) {
      stats.start_seconds = *boot + static_cast<double>(fields->start_ticks) /
                                        static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
  }
  if (const std::optional<size_t> count = OpenDescriptorCount()) {
    stats.open_descriptors = static_cast<double>(*count);
  }
  return stats;
}

std::optional<size_t> OpenDescriptorCount() {
  // Linux 6.2 and later count them by themselves. Else each is looked up: 9,000 took 2.5 to 30 ms.
  struct stat info = {};
  if (::stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
    return static_cast<size_t>(info.st_size);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), &::closedir);
  if (directory == nullptr) return std::nullopt;
  size_t count = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') ++count;
  }
  // One of them is the directory's own.
  return count - 1;
}

}  // namespace crier
