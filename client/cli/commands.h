// The subcommands of crier. Each returns the process's exit code.
#ifndef CRIER_CLIENT_CLI_COMMANDS_H_
#define CRIER_CLIENT_CLI_COMMANDS_H_

#include <string>
#include <vector>

namespace crier::cli {

// What the exit codes mean, for all subcommands.
inline constexpr int kOk = 0;
inline constexpr int kRefused = 1;  // The server said no, or a benchmark found something wrong.
inline constexpr int kUsage = 2;    // An unknown option, a wrong value.
inline constexpr int kCannotConnect = 3;  // No session came about, or it was lost.

// `arguments` are what follows the subcommand's name.
int Send(const std::vector<std::string>& arguments);
int Listen(const std::vector<std::string>& arguments);
int Health(const std::vector<std::string>& arguments);
int Bench(const std::vector<std::string>& arguments);

}  // namespace crier::cli

#endif  // CRIER_CLIENT_CLI_COMMANDS_H_
