#include "server/command_line.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <vector>

#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/options.h"

namespace crier {
namespace {

constexpr size_t kHelpWidth = 80;
constexpr std::string_view kIndent = "      ";

[[noreturn]] void ExitWithUsageError(const std::string& line) {
  std::fprintf(stderr, "crierd: %s\n", line.c_str());
  std::exit(kExitUsage);
}

const FlagHelp* FindHelp(std::string_view name) {
  for (const FlagGroup& group : FlagGroups()) {
    for (const FlagHelp& flag : group.flags) {
      if (flag.name == name) return &flag;
    }
  }
  return nullptr;
}

// What lies between `before` and `after`; empty where they do not enclose anything.
std::string Between(const std::string& text, const std::string& before, const std::string& after) {
  const size_t begin = text.find(before);
  if (begin == std::string::npos) return "";
  const size_t end = text.find(after, begin + before.size());
  if (end == std::string::npos) return "";
  return text.substr(begin + before.size(), end - begin - before.size());
}

// Abseil's messages (flags/parse.cc, flags/internal/flag.cc) in our words, with what would be
// right. One that is not known here stands as it is.
std::string InOurWords(const std::string& message) {
  if (const std::string name = Between(message, "Unknown command line flag '", "'");
      !name.empty()) {
    return absl::StrCat("--", name, ": there is no such flag; crierd --help lists all");
  }
  const std::string name = Between(message, "flag '", "'");
  const FlagHelp* flag = FindHelp(name);
  if (flag == nullptr) return message;
  const std::string example(flag->example);
  if (absl::StartsWith(message, "Illegal value '")) {
    const std::string value = Between(message, "Illegal value '", "' specified for flag");
    return absl::StrCat("--", name, "=", value, ": write ", example);
  }
  if (absl::StartsWith(message, "Missing the value")) {
    return absl::StrCat("--", name, ": the value is missing; write ", example);
  }
  if (absl::StartsWith(message, "Negative form")) {
    return absl::StrCat("--no", name, ": this flag is no switch; write --", name, "=VALUE, ",
                        example);
  }
  return message;
}

// Appends `text`, indented and wrapped between words.
void AppendWrapped(const std::string& text, std::string* out) {
  size_t column = kHelpWidth;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const size_t length = end - begin;
    if (column + 1 + length > kHelpWidth) {
      if (begin > 0) out->push_back('\n');
      out->append(kIndent);
      column = kIndent.size();
    } else {
      out->push_back(' ');
      ++column;
    }
    out->append(text, begin, length);
    column += length;
    begin = end + 1;
  }
  out->push_back('\n');
}

void AppendFlag(const FlagHelp& help, std::string* out) {
  const std::string name(help.name);
  const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  absl::StrAppend(out, "  --", name);
  if (!help.value.empty()) absl::StrAppend(out, "=", std::string(help.value));
  const std::string initial = flag->DefaultValue();
  absl::StrAppend(out, "  (default: ", initial.empty() ? "none" : initial, ")\n");
  AppendWrapped(flag->Help(), out);
}

constexpr char kHelpEnd[] = R"(
Configuration
  --flagfile=FILE
      Read flags from FILE, one --flag=value per line; # begins a comment.
  --fromenv=NAME,NAME
      Take these flags from the environment: shards from FLAGS_shards.
      --tryfromenv does the same, and lets those be that are not set.

Other
  --help
  --version

SIZE is a number of bytes (65536, 64KiB, 1MiB), TIME has its unit (500ms, 25s,
5m), ADDRESSES are HOST:PORT separated by commas (0.0.0.0:8000,[::1]:8000).
)";

}  // namespace

std::string VersionText() { return "crierd " CRIER_VERSION; }

std::string HelpText() {
  std::string text = VersionText() +
                     ": real-time messaging over WebSocket and gRPC\n\n"
                     "Usage: crierd [--FLAG=VALUE ...]\n";
  for (const FlagGroup& group : FlagGroups()) {
    absl::StrAppend(&text, "\n", std::string(group.title), "\n");
    for (const FlagHelp& flag : group.flags) AppendFlag(flag, &text);
  }
  return text + kHelpEnd;
}

void ParseCommandLine(int argc, char** argv) {
  // Abseil has these two as well, with an exit status of 1 and every flag of the libraries.
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-help" || argument == "-h") {
      std::fputs(HelpText().c_str(), stdout);
      std::exit(0);
    }
    if (argument == "--version" || argument == "-version") {
      std::puts(VersionText().c_str());
      std::exit(0);
    }
  }
  // Abseil writes each error to std::cerr before it calls AbslInternalReportFatalUsageError below.
  std::streambuf* const stderr_buffer = std::cerr.rdbuf(nullptr);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  std::cerr.rdbuf(stderr_buffer);
  std::cerr.clear();
  if (rest.size() > 1) {
    ExitWithUsageError(
        absl::StrCat("'", rest[1], "' is no flag; flags are written --FLAG=VALUE, see --help"));
  }
}

}  // namespace crier

// Abseil's hook for programs that report fatal usage errors in their own way
// (absl/flags/usage_config.h). Without it, the exit status would be 1.
extern "C" void ABSL_INTERNAL_C_SYMBOL(AbslInternalReportFatalUsageError)(
    absl::string_view message) {
  crier::ExitWithUsageError(crier::InOurWords(std::string(message)));
}
