#include "tests/support/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Runs on: the child, between fork and exec, where only async-signal-safe calls may be made.
[[noreturn]] void Become(char** arguments, char** environment, int out, int err,
                         const std::optional<rlim_t>& descriptors) {
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (descriptors.has_value()) {
    const rlimit limit{.rlim_cur = *descriptors, .rlim_max = *descriptors};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::string& program, const Options& options) {
  std::vector<std::string> arguments = {program};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  for (const auto& [name, value] : options.environment) environment.push_back(name + "=" + value);
  const std::vector<char*> argument_pointers = Pointers(arguments);
  const std::vector<char*> environment_pointers = Pointers(environment);

  int out[2];
  int err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
    ADD_FAILURE() << "pipe2: " << std::strerror(errno);
    return;
  }
  const UniqueFd child_out(out[1]);
  const UniqueFd child_err(err[1]);
  out_.fd.reset(out[0]);
  err_.fd.reset(err[0]);
  ::fcntl(out[0], F_SETFL, O_NONBLOCK);
  ::fcntl(err[0], F_SETFL, O_NONBLOCK);

  pid_ = ::fork();
  if (pid_ == 0) {
    Become(const_cast<char**>(argument_pointers.data()),
           const_cast<char**>(environment_pointers.data()), out[1], err[1], options.descriptors);
  }
  if (pid_ < 0) {
    ADD_FAILURE() << "fork: " << std::strerror(errno);
    return;
  }
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || exit_status_.has_value()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::Signal(int signal) {
  if (pid_ > 0 && !exit_status_.has_value()) ::kill(pid_, signal);
}

void ChildProcess::Read(Pipe* pipe) {
  char buffer[4096];
  while (pipe->fd.valid()) {
    const ssize_t n = ::read(pipe->fd.get(), buffer, sizeof buffer);
    if (n > 0) {
      pipe->text.append(buffer, static_cast<size_t>(n));
    } else if (n == 0) {
      pipe->fd.reset();
    } else {
      return;
    }
  }
}

bool ChildProcess::Pump(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  // poll passes over negative descriptors: pipes that are closed.
  pollfd polled[] = {{.fd = out_.fd.get(), .events = POLLIN, .revents = 0},
                     {.fd = err_.fd.get(), .events = POLLIN, .revents = 0},
                     {.fd = pidfd_.get(), .events = POLLIN, .revents = 0}};
  const int ready = ::poll(polled, 3, static_cast<int>(std::max<int64_t>(left.count(), 0)));
  Read(&out_);
  Read(&err_);
  if (polled[2].revents != 0) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      // What it wrote last.
      Read(&out_);
      Read(&err_);
    }
  }
  return ready > 0;
}

bool ChildProcess::WaitUntil(const std::function<bool()>& condition, milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (!condition()) {
    if (pid_ < 0 || exit_status_.has_value() || steady_clock::now() >= deadline) return condition();
    // Output ends it at once; but not every condition is about output.
    Pump(std::min(deadline, steady_clock::now() + milliseconds(50)));
  }
  return true;
}

std::optional<int> ChildProcess::WaitForExit(milliseconds patience) {
  WaitUntil([this] { return exit_status_.has_value(); }, patience);
  return exit_status_;
}

}  // namespace crier::testing
