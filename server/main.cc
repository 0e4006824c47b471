// crierd, the server.
#include <google/protobuf/stubs/logging.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "server/app.h"
#include "server/command_line.h"
#include "server/options.h"

namespace {

// SIGTERM and SIGINT wait for WaitForSignal; to be called before the first thread starts, so that
// every thread has them blocked. A peer that is gone is told by the write that fails.
sigset_t HoldSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// From now on a signal ends the process at once, with the status that shells use for it. A handler,
// because the default action does nothing to the first process of a container.
void LetSignalsKill(const sigset_t& signals) {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { ::_exit(128 + signal); };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "crierd: %s\n", std::string(status.message()).c_str());
  return crier::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  crier::ParseCommandLine(argc, argv);
  const absl::StatusOr<crier::ServerOptions> options = crier::ReadOptions();
  if (!options.ok()) return Fail(options.status());
  spdlog::set_default_logger(spdlog::stderr_color_mt("crierd"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_level(options->log_level);
  // It writes a line for every string that is not UTF-8, so any client could fill the log; the
  // client is told.
  google::protobuf::SetLogHandler(nullptr);

  const sigset_t signals = HoldSignals();
  crier::App app(*options);
  if (const absl::Status status = app.Start(); !status.ok()) return Fail(status);
  std::fputs(app.ReadyText().c_str(), stdout);
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  LetSignalsKill(signals);
  spdlog::info("{}: draining; once more to end at once", signal == SIGINT ? "SIGINT" : "SIGTERM");
  app.Drain();
  app.Stop();
  spdlog::info("stopped");
  return 0;
}
