// What the fuzz targets share: an input to take numbers from, and a check that always counts.
#ifndef CRIER_TESTS_FUZZ_FUZZ_INPUT_H_
#define CRIER_TESTS_FUZZ_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

namespace crier::fuzz {

// assert is off in optimised builds.
inline void Require(bool condition) {
  if (!condition) std::abort();
}

// Takes numbers and texts from the front of a fuzzer's input. Behind its end there are zeros.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return left_.empty(); }
  uint8_t Byte() {
    if (left_.empty()) return 0;
    const char byte = left_.front();
    left_.remove_prefix(1);
    return static_cast<uint8_t>(byte);
  }
  uint32_t Number() {
    uint32_t number = 0;
    for (int i = 0; i < 4; ++i) number = number << 8 | Byte();
    return number;
  }
  uint32_t Choose(std::initializer_list<uint32_t> choices) {
    return *(choices.begin() + Byte() % choices.size());
  }
  // A byte says how long.
  std::string_view Bytes() { return Take(Byte()); }
  // Up to the next `end`, which is taken too, or all that is left.
  std::string_view Until(char end) {
    const std::string_view text = Take(std::min(left_.find(end), left_.size()));
    Byte();
    return text;
  }
  std::string_view Rest() { return Take(left_.size()); }

 private:
  std::string_view Take(size_t size) {
    const std::string_view bytes = left_.substr(0, size);
    left_.remove_prefix(bytes.size());
    return bytes;
  }

  std::string_view left_;
};

}  // namespace crier::fuzz

#endif  // CRIER_TESTS_FUZZ_FUZZ_INPUT_H_
