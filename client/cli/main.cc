#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "client/cli/commands.h"

namespace {

constexpr char kHelp[] = R"(Usage: crier COMMAND [options]

Talks to a crier server, by WebSocket or by gRPC.

Commands:
  send     send one message and say what became of it
  listen   print what a session receives
  health   ask whether the server is well
  bench    play many clients, check every event, and measure

crier COMMAND --help explains a command; crier --version names this version.
)";

}  // namespace

int main(int argc, char** argv) {
  // A closed pipe is an error of that write, not the end.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string command = arguments.empty() ? "" : arguments[0];
  if (command == "--help" || command == "-h" || command == "help") {
    std::cout << kHelp;
    return crier::cli::kOk;
  }
  if (command == "--version") {
    std::cout << "crier " << CRIER_VERSION << "\n";
    return crier::cli::kOk;
  }
  const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1),
                                      arguments.end());
  if (command == "send") return crier::cli::Send(rest);
  if (command == "listen") return crier::cli::Listen(rest);
  if (command == "health") return crier::cli::Health(rest);
  if (command == "bench") return crier::cli::Bench(rest);
  std::cerr << (command.empty() ? std::string("crier: a command is needed")
                                : "crier: unknown command \"" + command + "\"")
            << "; one of send, listen, health, bench (crier --help)\n";
  return crier::cli::kUsage;
}
