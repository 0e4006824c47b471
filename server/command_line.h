// From argv to flags: what Abseil's parser does, with crierd's own manners around it.
#ifndef CRIER_SERVER_COMMAND_LINE_H_
#define CRIER_SERVER_COMMAND_LINE_H_

#include <string>

namespace crier {

// The exit status for a command line, a configuration or an environment that the server cannot
// start with.
inline constexpr int kExitUsage = 2;

// Sets the flags from the command line, and what it names with --flagfile and --fromenv.
//
// Does not return for --help and --version (exit status 0), nor where anything is wrong: then one
// line on standard error says what and what would be right, and the exit status is kExitUsage.
void ParseCommandLine(int argc, char** argv);

// What --help prints.
std::string HelpText();

// "crierd VERSION".
std::string VersionText();

}  // namespace crier

#endif  // CRIER_SERVER_COMMAND_LINE_H_
