// Parts of tests/bench/swarm.cc.
#ifndef CRIER_TESTS_BENCH_SWARM_PARTS_H_
#define CRIER_TESTS_BENCH_SWARM_PARTS_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace crier::swarm {

constexpr int64_t kSecond = 1'000'000'000;

inline int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

[[noreturn]] inline void Die(const std::string& what) {
  std::fprintf(stderr, "swarm: %s\n", what.c_str());
  std::exit(1);
}

inline std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

inline sockaddr_in Address(const std::string& text) {
  const size_t colon = text.rfind(':');
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(text.c_str() + colon + 1)));
  if (inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    Die("no address: " + text);
  }
  return address;
}

// User and system time of a process, in seconds.
inline double CpuOf(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) rest >> skipped;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

struct Options {
  std::map<std::string, std::string> values;
  std::string Text(const std::string& name, const std::string& other = "") const {
    const auto found = values.find(name);
    return found == values.end() ? other : found->second;
  }
  double Number(const std::string& name, double other) const {
    return values.contains(name) ? std::atof(values.at(name).c_str()) : other;
  }
  bool Has(const std::string& name) const { return values.contains(name); }
};

// The mask is nothing: it protects proxies, not servers.
inline std::string ClientFrame(int opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(0x80 | opcode));
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(payload.size() >> 8);
    frame += static_cast<char>(payload.size() & 255);
  }
  return frame.append(4, '\0').append(payload);
}

}  // namespace crier::swarm

#endif  // CRIER_TESTS_BENCH_SWARM_PARTS_H_
