// crierd, the server.
#include <google/protobuf/stubs/logging.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/app.h"
#include "server/base/start_pages.h"
#include "server/command_line.h"
#include "server/exposure.h"
#include "server/options.h"

namespace {

// An administrator's Drain. Never unblocked, so that it cannot end a drain that is under way, as a
// second SIGTERM does.
constexpr int kDrainSignal = SIGUSR1;

// Blocks SIGTERM, SIGINT, SIGHUP and kDrainSignal, so that they wait for sigwait. Call this before
// the first thread starts, so that every thread has them blocked. Ignores SIGPIPE: if a peer is
// gone, the write fails.
sigset_t HoldSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, kDrainSignal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// From now on SIGTERM and SIGINT end the process at once, with the status that shells use for it,
// and SIGHUP does nothing. This needs a handler, because the default action does nothing to the
// first process of a container.
void LetSignalsKill(sigset_t signals) {
  sigdelset(&signals, kDrainSignal);
  struct sigaction action = {};
  action.sa_handler = [](int signal) { ::_exit(128 + signal); };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  std::signal(SIGHUP, SIG_IGN);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

// Null: without TLS.
absl::StatusOr<std::unique_ptr<crier::TlsContext>> LoadTls(const crier::ServerOptions& options) {
  if (!options.tls.enabled()) return nullptr;
  return crier::TlsContext::Load(options.tls);
}

absl::Status Start(const crier::ServerOptions& options, std::unique_ptr<crier::TlsContext> tls,
                   std::optional<crier::App>* app) {
  try {
    app->emplace(options, std::move(tls), [] { ::kill(::getpid(), kDrainSignal); });
    return (*app)->Start();
  } catch (const std::exception& error) {
    // Of Asio and of the standard library: no descriptor, no thread, no memory.
    return absl::ResourceExhaustedError(absl::StrCat(
        "the system does not give what ", options.engine.shards, " shards need: ", error.what()));
  }
}

// Waits for a signal that ends the server, and returns it. Meanwhile, files are read again.
int WaitForEnd(const sigset_t& signals, crier::App* app) {
  constexpr timespec kBetweenLooks{.tv_sec = 1, .tv_nsec = 0};
  while (true) {
    const int signal = app->reads_files() ? ::sigtimedwait(&signals, nullptr, &kBetweenLooks)
                                          : ::sigwaitinfo(&signals, nullptr);
    if (signal == SIGHUP) {
      app->Reload();
    } else if (signal > 0) {
      return signal;
    } else {
      app->ReloadChanged();
    }
  }
}

// Reads the files with keys as the server would.
absl::Status CheckKeys(const crier::ServerOptions& options) {
  if (options.auth.keys.empty()) return absl::OkStatus();
  crier::TokenVerifier verifier(options.auth.rules);
  return crier::KeyFiles(options.auth.keys, &verifier).Load();
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "crierd: %s\n", std::string(status.message()).c_str());
  return crier::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  const crier::FlagOrigins origins = crier::ParseCommandLine(argc, argv);
  const absl::StatusOr<crier::ServerOptions> options = crier::ReadOptions(origins);
  if (!options.ok()) return Fail(options.status());
  absl::StatusOr<std::unique_ptr<crier::TlsContext>> tls = LoadTls(*options);
  if (!tls.ok()) return Fail(tls.status());
  if (const absl::Status status = crier::CheckExposure(*options); !status.ok()) return Fail(status);
  if (options->check_only) {
    if (const absl::Status status = CheckKeys(*options); !status.ok()) return Fail(status);
    std::puts("crierd: the flags and the files that they name are right");
    return 0;
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("crierd"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_level(options->log_level);
  // protobuf logs every string that is not UTF-8, so any client could fill the log. The client gets
  // an error instead.
  google::protobuf::SetLogHandler(nullptr);

  const sigset_t signals = HoldSignals();
  std::optional<crier::App> app;
  if (const absl::Status status = Start(*options, *std::move(tls), &app); !status.ok()) {
    return Fail(status);
  }
  if (const std::string open = crier::ExposureOf(*options); !open.empty()) {
    spdlog::warn("--insecure: {}", open);
  }
  const std::string ready = app->ReadyText();
  crier::ReturnStartPages();
  std::fputs(ready.c_str(), stdout);
  std::fflush(stdout);

  const int signal = WaitForEnd(signals, &*app);
  LetSignalsKill(signals);
  const char* const name = signal == SIGINT ? "SIGINT" : "SIGTERM";
  if (signal == kDrainSignal) {
    spdlog::info("asked by an administrator: draining; {} stops at once", name);
  } else {
    spdlog::info("{}: draining; send it again to stop at once", name);
  }
  app->Drain();
  app->Stop();
  spdlog::info("stopped");
  return 0;
}
