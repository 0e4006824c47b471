// Runs a fuzz target over its corpus, so that what a fuzzer once found is looked at in every build.
// One program for each target: CRIER_FUZZ_TARGET is its name.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

TEST(FuzzCorpusTest, CRIER_FUZZ_TARGET) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CRIER_FUZZ_CORPUS)) {
    SCOPED_TRACE(entry.path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    // A copy of exactly this size, so that AddressSanitizer sees a read past its end.
    const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
    EXPECT_EQ(LLVMFuzzerTestOneInput(exact.data(), exact.size()), 0);
    ++files;
  }
  EXPECT_GT(files, 5u);
}

}  // namespace
