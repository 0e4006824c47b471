// Runs a fuzz target over its corpus where there is no libFuzzer, so that what a fuzzer once found
// is looked at in every build. The argument is the folder of the corpus. A target aborts where what
// it says does not hold; the last line printed names the file.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", arguments[0]);
    return 2;
  }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) {
    std::fprintf(stderr, "%s\n", entry.path().filename().c_str());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    // A copy of exactly this size, so that AddressSanitizer sees a read past its end.
    const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
    if (LLVMFuzzerTestOneInput(exact.data(), exact.size()) != 0) return 1;
    ++files;
  }
  if (files > 5) return 0;
  std::fprintf(stderr, "%s has %d files, fewer than a corpus has\n", arguments[1], files);
  return 1;
}
