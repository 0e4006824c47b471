// When who was sent away comes back, so that not all come at once.
#ifndef CRIER_SERVER_BASE_SLOT_H_
#define CRIER_SERVER_BASE_SLOT_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace crier {

// Slots are spread over so long.
inline constexpr std::chrono::milliseconds kReconnectSpread{10'000};

// The slot of this number. Multiplying by the golden ratio spreads consecutive numbers evenly
// (Knuth, TAOCP 3, 6.4).
inline std::chrono::milliseconds SlotOf(uint64_t number, std::chrono::milliseconds spread) {
  const uint64_t most = static_cast<uint64_t>(std::max<int64_t>(1, spread.count()));
  return std::chrono::milliseconds(((number * 0x9E3779B97F4A7C15u) >> 32) % most);
}

}  // namespace crier

#endif  // CRIER_SERVER_BASE_SLOT_H_
