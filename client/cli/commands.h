// The subcommands of crier. Each returns the process's exit code.
#ifndef CRIER_CLIENT_CLI_COMMANDS_H_
#define CRIER_CLIENT_CLI_COMMANDS_H_

#include <string>
#include <vector>

namespace crier::cli {

// The exit codes of all subcommands.
inline constexpr int kOk = 0;
inline constexpr int kRefused = 1;        // The server refused, or a benchmark failed.
inline constexpr int kUsage = 2;          // An unknown option, a wrong value.
inline constexpr int kCannotConnect = 3;  // There was no session, or it was lost.

// `arguments` are those after the subcommand's name.
int Send(const std::vector<std::string>& arguments);
int Listen(const std::vector<std::string>& arguments);
int Health(const std::vector<std::string>& arguments);
int Bench(const std::vector<std::string>& arguments);
int Token(const std::vector<std::string>& arguments);
int Admin(const std::vector<std::string>& arguments);
int Top(const std::vector<std::string>& arguments);

}  // namespace crier::cli

#endif  // CRIER_CLIENT_CLI_COMMANDS_H_
