#include "server/flag_parser.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/byte_size.h"
#include "server/options.h"

namespace crier {
namespace {

// Besides those of FlagGroups.
constexpr std::string_view kOtherFlags[] = {"flagfile", "fromenv", "tryfromenv", "help", "version"};

const FlagHelp* FindHelp(std::string_view name) {
  for (const FlagGroup& group : FlagGroups()) {
    for (const FlagHelp& flag : group.flags) {
      if (flag.name == name) return &flag;
    }
  }
  return nullptr;
}

bool NamesSources(std::string_view name) {
  return name == "flagfile" || name == "fromenv" || name == "tryfromenv";
}

// False: a switch, or no flag.
bool TakesValue(std::string_view name) {
  const FlagHelp* help = FindHelp(name);
  return NamesSources(name) || (help != nullptr && !help->value.empty());
}

// Levenshtein's distance.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, substituted}));
    }
  }
  return row[b.size()];
}

// The flag that was probably meant; empty where none is close.
std::string Meant(std::string_view name) {
  const std::string normal = absl::StrReplaceAll(std::string(name), {{"-", "_"}});
  std::string best;
  size_t best_distance = 3;  // Further away is no misspelling.
  const auto consider = [&](std::string_view candidate) {
    const size_t distance = Distance(normal, candidate);
    if (distance >= best_distance) return;
    best_distance = distance;
    best = candidate;
  };
  for (const FlagGroup& group : FlagGroups()) {
    for (const FlagHelp& flag : group.flags) consider(flag.name);
  }
  for (const std::string_view flag : kOtherFlags) consider(flag);
  return best;
}

class Parser {
 public:
  absl::Status TakeArguments(std::span<const std::string> arguments);

  FlagOrigins TakeOrigins() { return std::move(origins_); }

 private:
  // `origin`: where the flag stands, as in FlagOrigins.
  absl::Status Take(const std::string& name, std::optional<std::string> value,
                    const std::string& origin);
  // --flagfile and its like.
  absl::Status TakeSources(const std::string& name, const std::optional<std::string>& value,
                           const std::string& origin);
  absl::Status TakeSwitchedOff(const std::string& name, bool has_value, const std::string& origin);
  absl::Status TakeFile(const std::string& path, const std::string& origin);
  absl::Status TakeLine(const std::string& line, const std::string& origin);
  absl::Status TakeEnvironment(const std::string& flag, const std::string& names,
                               const std::string& origin);
  absl::Status Set(const std::string& name, const std::string& value, const std::string& origin);

  static absl::Status Wrong(const std::string& origin, const std::string& text) {
    return absl::InvalidArgumentError(origin.empty() ? text : absl::StrCat(origin, ": ", text));
  }

  FlagOrigins origins_;
  std::vector<std::string> open_files_;  // each named by the one before
};

absl::Status Parser::TakeArguments(std::span<const std::string> arguments) {
  const auto no_flag = [](const std::string& argument) {
    return Wrong("", absl::StrCat("'", argument,
                                  "' is not a flag; flags are written --FLAG=VALUE, "
                                  "see crierd --help"));
  };
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      return i + 1 == arguments.size() ? absl::OkStatus() : no_flag(arguments[i + 1]);
    }
    if (argument.size() < 2 || argument[0] != '-') return no_flag(argument);
    const size_t begin = argument[1] == '-' ? 2 : 1;
    const size_t equals = argument.find('=', begin);
    const std::string name = argument.substr(begin, equals - begin);
    std::optional<std::string> value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (TakesValue(name) && i + 1 < arguments.size()) {
      value = arguments[++i];
    }
    if (absl::Status status = Take(name, std::move(value), ""); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Parser::Take(const std::string& name, std::optional<std::string> value,
                          const std::string& origin) {
  if (NamesSources(name)) return TakeSources(name, value, origin);
  const FlagHelp* help = FindHelp(name);
  if (help == nullptr && name.starts_with("no") && FindHelp(name.substr(2)) != nullptr) {
    return TakeSwitchedOff(name.substr(2), value.has_value(), origin);
  }
  if (help == nullptr) {
    const std::string meant = Meant(name);
    return Wrong(origin,
                 absl::StrCat("--", name, ": there is no such flag; ",
                              meant.empty() ? "" : absl::StrCat("did you mean --", meant, "? "),
                              "crierd --help lists all"));
  }
  if (!value.has_value() && help->value.empty()) value = "true";
  if (!value.has_value()) {
    return Wrong(origin, absl::StrCat("--", name, ": the value is missing; write ",
                                      std::string(help->example)));
  }
  return Set(name, *value, origin);
}

absl::Status Parser::TakeSources(const std::string& name, const std::optional<std::string>& value,
                                 const std::string& origin) {
  const bool files = name == "flagfile";
  if (!value.has_value()) {
    return Wrong(origin, absl::StrCat("--", name, ": the value is missing; write --", name, "=",
                                      files ? "FILE" : "NAME,NAME"));
  }
  if (!files) return TakeEnvironment(name, *value, origin);
  for (const absl::string_view path : absl::StrSplit(*value, ',', absl::SkipEmpty())) {
    if (absl::Status status = TakeFile(std::string(path), origin); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Parser::TakeSwitchedOff(const std::string& name, bool has_value,
                                     const std::string& origin) {
  const FlagHelp& help = *FindHelp(name);
  if (!help.value.empty()) {
    return Wrong(origin, absl::StrCat("--no", name, ": --", name,
                                      " is not a switch but takes a value; write --", name,
                                      "=VALUE, ", std::string(help.example)));
  }
  if (has_value) {
    return Wrong(origin, absl::StrCat("--no", name, " takes no value; write --no", name, " or --",
                                      name, "=false"));
  }
  return Set(name, "false", origin);
}

absl::Status Parser::Set(const std::string& name, const std::string& value,
                         const std::string& origin) {
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  std::string error;  // Abseil's; the flag's example says more.
  if (!flag->ParseFrom(value, &error)) {
    const bool negative = flag->IsOfType<ByteSize>() && value.starts_with('-');
    return Wrong(origin, absl::StrCat("--", name, "=", value, ": ",
                                      negative ? "a size cannot be negative; " : "", "write ",
                                      std::string(FindHelp(name)->example)));
  }
  origins_[name] = origin;
  return absl::OkStatus();
}

absl::Status Parser::TakeFile(const std::string& path, const std::string& origin) {
  if (std::ranges::find(open_files_, path) != open_files_.end()) {
    return Wrong(origin, absl::StrCat("--flagfile=", path, ": the file includes itself"));
  }
  errno = 0;
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(std::move(line));
  // A folder can be opened, and fails when it is read.
  if (!file.is_open() || file.bad()) {
    return Wrong(origin, absl::StrCat("--flagfile=", path,
                                      ": cannot read the file: ", std::strerror(errno)));
  }
  // Some editors begin a file with the mark of UTF-8.
  if (!lines.empty() && lines[0].starts_with("\xEF\xBB\xBF")) lines[0].erase(0, 3);
  open_files_.push_back(path);
  for (size_t i = 0; i < lines.size(); ++i) {
    const absl::string_view line = absl::StripAsciiWhitespace(lines[i]);
    if (line.empty() || line[0] == '#') continue;
    if (absl::Status status = TakeLine(std::string(line), absl::StrCat(path, ":", i + 1));
        !status.ok()) {
      return status;
    }
  }
  open_files_.pop_back();
  return absl::OkStatus();
}

absl::Status Parser::TakeLine(const std::string& line, const std::string& origin) {
  const size_t begin = line.find_first_not_of('-');
  const size_t equals = line.find('=');
  const std::string name = begin == 1 || begin == 2 ? line.substr(begin, equals - begin) : "";
  if (name.empty() || name.find_first_of(" \t") != std::string::npos) {
    return Wrong(origin, absl::StrCat("'", line,
                                      "' is not a flag; write --FLAG=VALUE, one flag in "
                                      "each line"));
  }
  std::optional<std::string> value;
  if (equals != std::string::npos) value = line.substr(equals + 1);
  return Take(name, std::move(value), origin);
}

absl::Status Parser::TakeEnvironment(const std::string& flag, const std::string& names,
                                     const std::string& origin) {
  for (const absl::string_view part : absl::StrSplit(names, ',', absl::SkipEmpty())) {
    const std::string name(part);
    const std::string variable = absl::StrCat("FLAGS_", name);
    if (FindHelp(name) == nullptr) {
      const std::string meant = Meant(name);
      return Wrong(origin,
                   absl::StrCat("--", flag, "=", names, ": there is no flag --", name, "; ",
                                meant.empty() ? "" : absl::StrCat("did you mean ", meant, "? "),
                                "crierd --help lists all"));
    }
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr && flag == "tryfromenv") continue;
    if (value == nullptr) {
      return Wrong(origin, absl::StrCat("--", flag, "=", names, ": the environment has no ",
                                        variable, "; set it, or write --tryfromenv"));
    }
    if (absl::Status status = Set(name, value, absl::StrCat(variable, " in the environment"));
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FlagOrigins> ParseFlags(std::span<const std::string> arguments) {
  Parser parser;
  if (absl::Status status = parser.TakeArguments(arguments); !status.ok()) return status;
  return parser.TakeOrigins();
}

}  // namespace crier
