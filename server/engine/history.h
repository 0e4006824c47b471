// A page of a topic's past.
#ifndef CRIER_SERVER_ENGINE_HISTORY_H_
#define CRIER_SERVER_ENGINE_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/base/outcome.h"
#include "server/engine/chunk.h"

namespace crier {

// A range of a topic's log in the canonical encoding. It refers to the log's own memory, which it
// keeps, and copies nothing.
struct HistoryRange {
  struct Run {
    ChunkPtr chunk;
    std::string_view bytes;  // within the chunk
  };
  // kUnavailable: what the nodes of a cluster share did not answer, and nothing else is set.
  Outcome outcome = Outcome::kOk;
  // End to end: entries of `repeated Event events = 1`.
  std::vector<Run> events;
  uint64_t epoch = 0;
  uint64_t tail = 1;
  uint64_t head = 0;

  // Of the events.
  size_t bytes() const {
    size_t sum = 0;
    for (const Run& run : events) sum += run.bytes.size();
    return sum;
  }
};

// Runs on the thread of the shard that asked.
using HistoryDone = absl::AnyInvocable<void(HistoryRange)>;

struct HistoryQuestion {
  std::string topic;
  uint64_t from = 0;  // 0: the oldest kept
  size_t max_events = 0;
  HistoryDone done;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_HISTORY_H_
