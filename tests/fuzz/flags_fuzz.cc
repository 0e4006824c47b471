// Whatever stands on crierd's command line and in its flag files: flags that are right in every
// field, or one line that says what is wrong.
//
// Lines of the input are arguments; what follows an empty line is the flag file that
// --flagfile=FILE means.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/flag_parser.h"
#include "server/net/unique_fd.h"
#include "server/options.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace crier;        // NOLINT: a program of one file
using namespace crier::fuzz;  // NOLINT

// A file without a name of its own.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view text) : fd_(::memfd_create("flags", MFD_CLOEXEC)) {
    Require(::write(fd_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  std::string path() const { return absl::StrCat("/proc/self/fd/", fd_.get()); }

 private:
  UniqueFd fd_;
};

// No message has a second line, unless somebody wrote one into a value.
void CheckMessage(absl::string_view message) { Require(!message.empty()); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const absl::FlagSaver as_before;
  std::vector<std::string> arguments;
  while (!input.empty()) {
    const std::string_view line = input.Until('\n');
    if (line.empty()) break;
    arguments.emplace_back(line);
  }
  std::string text(input.Rest());
  // Other files of this machine are not the fuzzer's, nor is a file that includes itself by another
  // name.
  for (const std::string& argument : arguments) {
    if (argument.find('/') != argument.npos) return 0;
  }
  if (text.find('/') != text.npos) return 0;
  const MemoryFile file(text);
  for (std::string& argument : arguments) {
    argument = absl::StrReplaceAll(argument, {{"FILE", file.path()}});
  }

  const absl::StatusOr<FlagOrigins> origins = ParseFlags(arguments);
  if (!origins.ok()) {
    CheckMessage(origins.status().message());
    return 0;
  }
  const absl::StatusOr<ServerOptions> options = ReadOptions(*origins);
  if (!options.ok()) {
    CheckMessage(options.status().message());
    return 0;
  }
  Require(!options->http_listen.empty() || !options->grpc_listen.empty());
  Require(options->engine.shards >= 1);
  Require(options->engine.max_body_bytes >= 1);
  Require(options->engine.memory_budget >= options->engine.topic_log.bytes);
  Require(options->websocket.max_message_bytes > options->engine.max_body_bytes);
  Require(options->drain_time.count() >= 0);
  Require(!FlagValues().empty());
  return 0;
}
