// Remembers the first result of each publish that carried an id, so that a client may send it again
// after a lost connection without it being published twice.
#ifndef CRIER_SERVER_ENGINE_DEDUPE_TABLE_H_
#define CRIER_SERVER_ENGINE_DEDUPE_TABLE_H_

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "server/base/clock.h"
#include "server/base/string_map.h"
#include "server/engine/bus.h"

namespace crier {

// Bounded by age and by number, oldest first to go. Not thread-safe.
class DedupeTable {
 public:
  DedupeTable(std::chrono::milliseconds window, size_t most) : window_(window), most_(most) {}

  // The first result for this key, or null. Valid until the next call.
  const PublishResult* Find(std::string_view key, TimePoint now);
  // REQUIRES: Find(key) returned null.
  void Remember(std::string key, const PublishResult& result, TimePoint now);
  bool empty() const { return results_.empty(); }
  // Forgets what is past its window.
  void Expire(TimePoint now);

  // The key of a publish: its publisher and its id.
  static std::string Key(std::string_view publisher, std::string_view id);

 private:
  struct Aged {
    TimePoint at;
    std::string key;
  };
  const std::chrono::milliseconds window_;
  const size_t most_;
  StringMap<PublishResult> results_;
  std::deque<Aged> by_age_;  // oldest first
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_DEDUPE_TABLE_H_
