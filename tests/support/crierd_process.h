// The real server as a child process, with ports that the system chooses.
#ifndef CRIER_TESTS_SUPPORT_CRIERD_PROCESS_H_
#define CRIER_TESTS_SUPPORT_CRIERD_PROCESS_H_

#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace crier::testing {

// Of the program that this build made.
std::string CrierdPath();

// Started and ready, if the constructor did not fail the test.
class CrierdProcess : public ChildProcess {
 public:
  // `options.arguments` come after the three flags that say where to listen, and so override them.
  explicit CrierdProcess(Options options = {});
  explicit CrierdProcess(const std::vector<std::string>& arguments)
      : CrierdProcess(Options{.arguments = arguments, .environment = {}, .descriptors = {}}) {}

  bool ready() const { return !http_.empty() || !grpc_.empty(); }
  // "127.0.0.1:PORT"; empty where that listener is off.
  const std::string& http() const { return http_; }
  const std::string& grpc() const { return grpc_; }
  const std::string& admin() const { return admin_; }
  // From before fork until the ready line was read.
  std::chrono::microseconds start_time() const { return start_time_; }

 private:
  std::string http_;
  std::string grpc_;
  std::string admin_;
  std::chrono::microseconds start_time_{0};
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_CRIERD_PROCESS_H_
