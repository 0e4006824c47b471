#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "client/cli/commands.h"

namespace {

constexpr char kHelp[] = R"(Usage: crier COMMAND [options]

Talks to a crier server, over WebSocket or gRPC.

Commands:
  send     send one message, and print how many recipients it had
  listen   print what a session receives
  health   ask whether a server is healthy
  bench    simulate many clients, check every event, and measure
  token    make a token for a server that asks for one, or show what one says
  admin    call a method of a server's administration
  top      show live what a server, or a cluster of them, does

crier COMMAND --help explains a command. crier --version prints the version.
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
  if (command == "token") return crier::cli::Token(rest);
  if (command == "admin") return crier::cli::Admin(rest);
  if (command == "top") return crier::cli::Top(rest);
  std::cerr << (command.empty() ? std::string("crier: a command is needed")
                                : "crier: unknown command \"" + command + "\"")
            << "; the commands are send, listen, health, bench, token, admin and top (see crier "
               "--help)\n";
  return crier::cli::kUsage;
}
