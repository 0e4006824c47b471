// A program that a test starts, watches and stops.
#ifndef CRIER_TESTS_SUPPORT_CHILD_PROCESS_H_
#define CRIER_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/net/unique_fd.h"

namespace crier::testing {

// Not thread-safe. Every wait has a deadline.
class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;                            // without the program's own name
    std::vector<std::pair<std::string, std::string>> environment;  // besides the test's own
    // Soft and hard limit of open descriptors; absent: the test's own.
    std::optional<rlim_t> descriptors;
  };

  // Starts `program` with its standard output and error piped here. Fails the test if it cannot.
  ChildProcess(const std::string& program, const Options& options);
  // Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);

  // What it has written so far, as far as a wait has read it.
  const std::string& out() const { return out_.text; }
  const std::string& err() const { return err_.text; }

  // Reads its output until `condition` holds, which is asked twenty times a second. False: it did
  // not in time, or the program ended without it.
  bool WaitUntil(const std::function<bool()>& condition,
                 std::chrono::milliseconds patience = std::chrono::seconds(20));

  // Its exit status, 128 + n where signal n killed it. nullopt: it still runs after `patience`.
  std::optional<int> WaitForExit(std::chrono::milliseconds patience = std::chrono::seconds(20));

 private:
  struct Pipe {
    UniqueFd fd;  // none: the program closed its end
    std::string text;
  };

  // Waits for output or the end, and reads what there is. False: neither came before `deadline`.
  bool Pump(std::chrono::steady_clock::time_point deadline);
  static void Read(Pipe* pipe);

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  Pipe out_;
  Pipe err_;
  std::optional<int> exit_status_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_CHILD_PROCESS_H_
