#include "client/bench/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "client/text.h"

namespace crier::bench {
namespace {

// "VmRSS:     1234 kB" as bytes.
uint64_t KilobytesOf(std::string_view line) {
  const std::vector<std::string> words =
      absl::StrSplit(ForAbsl(line), absl::ByAnyChar(" \t"), absl::SkipEmpty());
  uint64_t value = 0;
  if (words.size() < 2 || !absl::SimpleAtoi(words[1], &value)) return 0;
  return value * 1024;
}

}  // namespace

absl::StatusOr<ProcessUsage> UsageOf(uint64_t pid) {
  std::ifstream stat(Concat("/proc/", pid, "/stat"));
  std::stringstream text;
  text << stat.rdbuf();
  const std::string all = text.str();
  // The second field is the program's name in parentheses, and may hold anything.
  const size_t name_end = all.rfind(')');
  if (name_end == std::string::npos) {
    return absl::NotFoundError(Concat("no process ", pid));
  }
  const std::vector<std::string> fields = absl::StrSplit(all.substr(name_end + 2), ' ');
  uint64_t user = 0;
  uint64_t system = 0;
  if (fields.size() < 13 || !absl::SimpleAtoi(fields[11], &user) ||
      !absl::SimpleAtoi(fields[12], &system)) {
    return absl::NotFoundError(Concat("cannot read /proc/", pid, "/stat"));
  }
  ProcessUsage usage;
  usage.cpu_seconds =
      static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::ifstream status(Concat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) usage.rss_bytes = KilobytesOf(line);
    if (line.rfind("RssFile:", 0) == 0) usage.rss_file_bytes = KilobytesOf(line);
    if (line.rfind("VmHWM:", 0) == 0) usage.peak_rss_bytes = KilobytesOf(line);
  }
  return usage;
}

double OwnCpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace crier::bench
