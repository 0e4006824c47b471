// Redis as a child process, and a loop to wait in for what it answers.
#ifndef CRIER_TESTS_SUPPORT_REDIS_SERVER_H_
#define CRIER_TESTS_SUPPORT_REDIS_SERVER_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/support/child_process.h"

namespace crier::testing {

// A port of 127.0.0.1 that was free a moment ago.
uint16_t FreePort();

// Runs what is ready in `io` until `condition` holds; it is asked after each handler. False: it did
// not in time.
bool RunUntil(boost::asio::io_context& io, const std::function<bool()>& condition,
              std::chrono::milliseconds patience = std::chrono::seconds(20));

// A redis-server of its own on a free port of the loopback, without files of data. It ends with
// this object, and with the test. Not thread-safe. Every wait has a deadline.
class RedisServer {
 public:
  struct Options {
    std::vector<std::string> arguments{};  // besides what it always gets
    std::string config{};                  // the text of its file of settings
    std::string password{};                // wanted of everyone; Command gives it
    bool is_sentinel = false;
  };

  // Starts it and waits until it answers. Fails the test where it does not.
  RedisServer() : RedisServer(Options{}) {}
  explicit RedisServer(Options options);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  uint16_t port() const { return port_; }
  // "redis://127.0.0.1:PORT", with the password where there is one.
  std::string url() const;

  // SIGKILL, and waits for its end.
  void Kill();
  // Starts it again, empty, on the same port. REQUIRES: it was killed.
  void Restart();
  // SIGSTOP and SIGCONT: it stays connected and does nothing.
  void Pause();
  void Continue();

  // Sends a command on a connection of its own and waits for the answer: text and errors as they
  // are, numbers in decimal, nil as nothing, an array with one part in a line. "LOST" where there
  // is no connection or no answer.
  std::string Command(const std::vector<std::string>& args) const;

  // Asks until the answer contains `part`.
  bool WaitFor(const std::vector<std::string>& args, const std::string& part,
               std::chrono::milliseconds patience = std::chrono::seconds(20));

 private:
  bool Start();

  const Options options_;
  ScratchFolder folder_;
  uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_REDIS_SERVER_H_
