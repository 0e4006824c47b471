// How a publish leaves the shard it came in on: one road for all, on one node and on many.
#ifndef CRIER_SERVER_ENGINE_BUS_H_
#define CRIER_SERVER_ENGINE_BUS_H_

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/base/outcome.h"

namespace crier {

class Shard;

// When a frame came in, on both clocks.
struct Arrival {
  TimePoint at;
  int64_t wall_nanos = 0;
};

// What became of a publish.
struct PublishResult {
  Outcome outcome = Outcome::kOk;
  std::string detail;  // what is wrong, in words; empty where outcome is kOk
  uint64_t epoch = 0;
  uint64_t offset = 0;
  uint64_t recipients = 0;
  bool duplicate = false;
};
using PublishDone = absl::AnyInvocable<void(const PublishResult&)>;

// A message on its way, already validated.
struct Publication {
  v1::Message message;  // DIRECT with `to`, or BROADCAST
  Arrival arrival;
  // Whom the message's id is unique for; empty: nobody, so no id is remembered.
  std::string publisher;
  // Runs on `from`'s thread (see Publish), exactly once. May be null.
  PublishDone done;
};

// Thread-safe in so far as each shard may call it on its own thread.
class Bus {
 public:
  virtual ~Bus() = default;
  // Runs on: the thread of `from`.
  virtual void Publish(Shard& from, Publication publication) = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_BUS_H_
