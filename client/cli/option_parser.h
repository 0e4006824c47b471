// The options of one subcommand: parsing, checking and the help page.
#ifndef CRIER_CLIENT_CLI_OPTION_PARSER_H_
#define CRIER_CLIENT_CLI_OPTION_PARSER_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crier::cli {

// Abseil's flags are one flat set per program. A tool with subcommands needs one set for each, and
// a help page that shows only that set. Options are written --name=value or --name value, switches
// --name or --name=false. "--" ends the options. Dashes and underscores in names are the same.
//
// The parser keeps pointers to the values, which have to outlive it. A value's default is its
// content when it is added.
class OptionParser {
 public:
  // `usage` is one line, as in "crier send [options] BODY"; `about` a few lines of prose.
  OptionParser(std::string usage, std::string about);

  // Starts a titled part of the help page.
  void Group(std::string title);

  void Add(std::string name, std::string* value, std::string placeholder, std::string help);
  // `choices` are the only values accepted.
  void AddChoice(std::string name, std::string* value, std::vector<std::string> choices,
                 std::string help);
  void Add(std::string name, bool* value, std::string help);
  void Add(std::string name, uint64_t* value, std::string placeholder, std::string help,
           uint64_t min = 0, uint64_t max = std::numeric_limits<uint64_t>::max());
  void Add(std::string name, double* value, std::string placeholder, std::string help, double min,
           double max);
  // "500ms", "30s", "2m"; a bare number is seconds. Never negative.
  void Add(std::string name, absl::Duration* value, std::string placeholder, std::string help);

  // Sets the values and returns the other arguments in order. An error is one line that names the
  // option and says what would be right. "--help" ends parsing, and help_wanted() is then true.
  absl::StatusOr<std::vector<std::string>> Parse(const std::vector<std::string>& arguments);

  bool help_wanted() const { return help_wanted_; }
  // True if the option was given, whatever its value.
  bool given(std::string_view name) const;
  std::string Help() const;

 private:
  struct Option {
    std::string name;  // Empty: a group's title, in `help`.
    std::string placeholder;
    std::string help;
    std::string default_text;
    bool is_switch = false;
    bool given = false;
    std::function<absl::Status(std::string_view)> set;
  };

  void Insert(std::string name, std::string placeholder, std::string help, std::string default_text,
              std::function<absl::Status(std::string_view)> set);
  Option* Find(std::string_view name);
  absl::Status Unknown(std::string_view name) const;

  std::string usage_;
  std::string about_;
  std::vector<Option> options_;
  bool help_wanted_ = false;
};

}  // namespace crier::cli

#endif  // CRIER_CLIENT_CLI_OPTION_PARSER_H_
