// crierd's command line: --help, --version, and the exit where it cannot be used.
#ifndef CRIER_SERVER_COMMAND_LINE_H_
#define CRIER_SERVER_COMMAND_LINE_H_

#include <string>

#include "server/flag_parser.h"

namespace crier {

// The exit status if the server cannot start with its command line, configuration or environment.
inline constexpr int kExitUsage = 2;

// Sets the flags from the command line, and from what it names with --flagfile and --fromenv
// (server/flag_parser.h). Returns where each was given.
//
// Does not return for --help and --version (exit status 0), nor where anything is wrong: then one
// line on standard error says what and what would be right, and the exit status is kExitUsage.
FlagOrigins ParseCommandLine(int argc, char** argv);

// What --help prints.
std::string HelpText();

// "crierd VERSION".
std::string VersionText();

}  // namespace crier

#endif  // CRIER_SERVER_COMMAND_LINE_H_
