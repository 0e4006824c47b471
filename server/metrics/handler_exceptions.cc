#include "server/metrics/handler_exceptions.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>

namespace crier {
namespace {

// Whether a line may be logged now; if so, how many were not since the last one.
bool MayLog(uint64_t* left_out) {
  using std::chrono::steady_clock;
  constexpr int64_t kDistance = steady_clock::duration(std::chrono::seconds(1)).count();
  static std::atomic<int64_t> next{0};
  static std::atomic<uint64_t> since{0};
  const int64_t now = steady_clock::now().time_since_epoch().count();
  int64_t due = next.load(std::memory_order_relaxed);
  if (now < due || !next.compare_exchange_strong(due, now + kDistance)) {
    since.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  *left_out = since.exchange(0, std::memory_order_relaxed);
  return true;
}

}  // namespace

void NoteHandlerException(Counter* counter, std::string_view where) noexcept {
  if (counter != nullptr) counter->Add();
  uint64_t left_out = 0;
  if (!MayLog(&left_out)) return;
  // Memory may be what is wanting, so the line may be lost; it was counted.
  const auto log = [where, left_out](const char* what) {
    spdlog::error("exception in {}: {} ({} more were not logged)", where, what, left_out);
  };
  try {
    try {
      throw;
    } catch (const std::exception& error) {
      log(error.what());
    } catch (...) {
      log("no std::exception");
    }
  } catch (...) {
  }
}

}  // namespace crier
