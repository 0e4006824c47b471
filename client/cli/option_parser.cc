#include "client/cli/option_parser.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/text.h"

namespace crier::cli {
namespace {

std::string Normal(std::string_view name) {
  return absl::StrReplaceAll(ForAbsl(name), {{"-", "_"}});
}

// Levenshtein's distance, to suggest the option that was meant.
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

absl::Status Wrong(std::string_view wanted) { return absl::InvalidArgumentError(ForAbsl(wanted)); }

std::string DurationText(absl::Duration value) { return absl::FormatDuration(value); }

bool ParseDurationText(std::string_view text, absl::Duration* value) {
  double seconds = 0;
  if (absl::SimpleAtod(ForAbsl(text), &seconds)) {
    if (!std::isfinite(seconds)) return false;
    *value = absl::Seconds(seconds);
    return true;
  }
  return absl::ParseDuration(ForAbsl(text), value) && *value != absl::InfiniteDuration();
}

}  // namespace

OptionParser::OptionParser(std::string usage, std::string about)
    : usage_(std::move(usage)), about_(std::move(about)) {}

void OptionParser::Group(std::string title) {
  Option option;
  option.help = std::move(title);
  options_.push_back(std::move(option));
}

void OptionParser::Insert(std::string name, std::string placeholder, std::string help,
                          std::string default_text,
                          std::function<absl::Status(std::string_view)> set) {
  Option option;
  option.name = std::move(name);
  option.placeholder = std::move(placeholder);
  option.help = std::move(help);
  option.default_text = std::move(default_text);
  option.set = std::move(set);
  options_.push_back(std::move(option));
}

void OptionParser::Add(std::string name, std::string* value, std::string placeholder,
                       std::string help) {
  Insert(std::move(name), std::move(placeholder), std::move(help), *value,
         [value](std::string_view text) {
           *value = std::string(text);
           return absl::OkStatus();
         });
}

void OptionParser::AddChoice(std::string name, std::string* value, std::vector<std::string> choices,
                             std::string help) {
  const std::string all = absl::StrJoin(choices, "|");
  Insert(std::move(name), all, std::move(help), *value,
         [value, all, choices = std::move(choices)](std::string_view text) {
           if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
             return Wrong(Concat("one of ", all));
           }
           *value = std::string(text);
           return absl::OkStatus();
         });
}

void OptionParser::Add(std::string name, bool* value, std::string help) {
  Insert(std::move(name), "", std::move(help), *value ? "on" : "", [value](std::string_view text) {
    return absl::SimpleAtob(ForAbsl(text), value) ? absl::OkStatus() : Wrong("true or false");
  });
  options_.back().is_switch = true;
}

void OptionParser::Add(std::string name, uint64_t* value, std::string placeholder, std::string help,
                       uint64_t min, uint64_t max) {
  Insert(std::move(name), std::move(placeholder), std::move(help), Concat(*value),
         [value, min, max](std::string_view text) {
           uint64_t parsed = 0;
           if (!absl::SimpleAtoi(ForAbsl(text), &parsed) || parsed < min || parsed > max) {
             return Wrong(max == std::numeric_limits<uint64_t>::max()
                              ? Concat("a whole number from ", min)
                              : Concat("a whole number from ", min, " to ", max));
           }
           *value = parsed;
           return absl::OkStatus();
         });
}

void OptionParser::Add(std::string name, double* value, std::string placeholder, std::string help,
                       double min, double max) {
  Insert(std::move(name), std::move(placeholder), std::move(help), Concat(*value),
         [value, min, max](std::string_view text) {
           double parsed = 0;
           if (!absl::SimpleAtod(ForAbsl(text), &parsed) || !(parsed >= min && parsed <= max)) {
             return Wrong(Concat("a number from ", min, " to ", max));
           }
           *value = parsed;
           return absl::OkStatus();
         });
}

void OptionParser::Add(std::string name, absl::Duration* value, std::string placeholder,
                       std::string help) {
  Insert(std::move(name), std::move(placeholder), std::move(help), DurationText(*value),
         [value](std::string_view text) {
           absl::Duration parsed;
           if (!ParseDurationText(text, &parsed) || parsed < absl::ZeroDuration()) {
             return Wrong("a duration such as 500ms, 30s or 2m");
           }
           *value = parsed;
           return absl::OkStatus();
         });
}

OptionParser::Option* OptionParser::Find(std::string_view name) {
  const std::string normal = Normal(name);
  for (Option& option : options_) {
    if (!option.name.empty() && Normal(option.name) == normal) return &option;
  }
  return nullptr;
}

bool OptionParser::given(std::string_view name) const {
  const Option* option = const_cast<OptionParser*>(this)->Find(name);
  return option != nullptr && option->given;
}

absl::Status OptionParser::Unknown(std::string_view name) const {
  const std::string normal = Normal(name);
  std::string best;
  size_t best_distance = 3;  // Further away is no misspelling.
  for (const Option& option : options_) {
    if (option.name.empty()) continue;
    const size_t distance = Distance(normal, Normal(option.name));
    if (distance < best_distance) {
      best_distance = distance;
      best = option.name;
    }
  }
  return absl::InvalidArgumentError(
      Concat("unknown option --", name,
             best.empty() ? "; --help lists them" : Concat("; did you mean --", best, "?")));
}

absl::StatusOr<std::vector<std::string>> OptionParser::Parse(
    const std::vector<std::string>& arguments) {
  std::vector<std::string> positional;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (argument == "--") {
      positional.insert(positional.end(), arguments.begin() + i + 1, arguments.end());
      break;
    }
    if (argument == "--help" || argument == "-h") {
      help_wanted_ = true;
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {
      positional.emplace_back(argument);
      continue;
    }
    argument.remove_prefix(argument[1] == '-' ? 2 : 1);
    const auto parts = SplitOnce(argument, '=');
    const bool has_value = argument.find('=') != std::string_view::npos;
    Option* option = Find(parts.first);
    if (option == nullptr) return Unknown(parts.first);
    std::string_view value = parts.second;
    if (!has_value && option->is_switch) {
      value = "true";
    } else if (!has_value) {
      if (i + 1 >= arguments.size()) {
        return absl::InvalidArgumentError(
            Concat("--", option->name, " needs a value: ", option->placeholder));
      }
      value = arguments[++i];
    }
    if (absl::Status status = option->set(value); !status.ok()) {
      return absl::InvalidArgumentError(
          Concat("--", option->name, "=", value, ": must be ", status.message()));
    }
    option->given = true;
  }
  return positional;
}

std::string OptionParser::Help() const {
  constexpr size_t kColumn = 26;
  constexpr size_t kWidth = 96;
  std::string help = Concat("Usage: ", usage_, "\n\n", about_, "\n");
  for (const Option& option : options_) {
    if (option.name.empty()) {
      AppendTo(&help, "\n", option.help, "\n");
      continue;
    }
    std::string line = Concat("  --", option.name);
    if (!option.placeholder.empty()) AppendTo(&line, " ", option.placeholder);
    std::string text = option.help;
    if (!option.default_text.empty()) AppendTo(&text, " [", option.default_text, "]");
    if (line.size() + 2 > kColumn) {
      AppendTo(&help, line, "\n");
      line.clear();
    }
    line.resize(kColumn, ' ');
    for (const absl::string_view word : absl::StrSplit(text, ' ')) {
      if (line.size() + 1 + word.size() > kWidth) {
        AppendTo(&help, line, "\n");
        line.assign(kColumn, ' ');
      }
      if (line.size() > kColumn) line += ' ';
      AppendTo(&line, word);
    }
    AppendTo(&help, line, "\n");
  }
  return help;
}

}  // namespace crier::cli
