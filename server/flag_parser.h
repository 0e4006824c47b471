// Sets crierd's flags from a command line, flag files and the environment, and remembers where each
// value came from, so that a message about a value can say where it stands.
#ifndef CRIER_SERVER_FLAG_PARSER_H_
#define CRIER_SERVER_FLAG_PARSER_H_

#include <map>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crier {

// Which flags were given, by name, and where: "" on the command line, "crier.flags:3" in the third
// line of that file, "FLAGS_shards in the environment". Of a flag given twice, the last.
using FlagOrigins = std::map<std::string, std::string>;

// Arguments are written as Abseil's flags are: --name=value, --name value, and --name, --noname or
// --name=false for a switch; "--" ends them. Three more flags, each of which acts where it stands,
// so that what comes later wins:
//   --flagfile=FILE,...     flags from files, a --name=value per line. Empty lines and lines that
//                           begin with # are skipped. Lines may end with CRLF.
//   --fromenv=NAME,...      these flags from the environment: shards from FLAGS_shards
//   --tryfromenv=NAME,...   the same; those that the environment does not have are skipped
//
// Knows only the flags of FlagGroups (server/options.h). Checks that a value has its flag's form;
// ReadOptions checks the rest.
//
// The status is one line that names the flag or the line, what is wrong and what would be right.
// Flags before the wrong one are set then. Not thread-safe.
absl::StatusOr<FlagOrigins> ParseFlags(std::span<const std::string> arguments);

}  // namespace crier

#endif  // CRIER_SERVER_FLAG_PARSER_H_
