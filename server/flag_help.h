// How --help shows flags.
#ifndef CRIER_SERVER_FLAG_HELP_H_
#define CRIER_SERVER_FLAG_HELP_H_

#include <span>
#include <string_view>

namespace crier {

// How --help shows a flag. The default and the text come from the flag itself.
struct FlagHelp {
  std::string_view name;
  std::string_view value;    // stands for the value: "N", "SIZE"; empty: a switch
  std::string_view example;  // an example of a value, for people
};
struct FlagGroup {
  std::string_view title;
  std::span<const FlagHelp> flags;
};

}  // namespace crier

#endif  // CRIER_SERVER_FLAG_HELP_H_
