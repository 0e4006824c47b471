#include "server/command_line.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/options.h"

namespace crier {
namespace {

constexpr size_t kHelpWidth = 80;
constexpr std::string_view kIndent = "      ";

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
      Read flags from FILE, one --FLAG=VALUE in each line. Lines that begin with
      # are comments.
  --fromenv=NAME,NAME
      Read these flags from the environment: shards from FLAGS_shards. An
      environment without one of them is an error.
  --tryfromenv=NAME,NAME
      The same, but flags that the environment does not have are skipped.

Other
  --help
      Print this page.
  --version
      Print the version.

SIZE is a number of bytes: 65536, 64KiB, 1MiB. TIME has a unit: 500ms, 25s, 5m.
ADDRESSES are HOST:PORT, separated by commas: 0.0.0.0:8000,[::1]:8000. A switch
is turned on with --FLAG and off with --noFLAG. Of a flag given twice, the last
one counts.
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

FlagOrigins ParseCommandLine(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  // Before all else: whoever asks for help may have got another flag wrong.
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument == "--help" || argument == "-help" || argument == "-h") {
      std::fputs(HelpText().c_str(), stdout);
      std::exit(0);
    }
    if (argument == "--version" || argument == "-version") {
      std::puts(VersionText().c_str());
      std::exit(0);
    }
  }
  absl::StatusOr<FlagOrigins> origins = ParseFlags(arguments);
  if (!origins.ok()) {
    std::fprintf(stderr, "crierd: %s\n", std::string(origins.status().message()).c_str());
    std::exit(kExitUsage);
  }
  return *std::move(origins);
}

}  // namespace crier
