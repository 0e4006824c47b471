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

// A session, from any shard. Id 0: none.
struct SessionRef {
  size_t shard = 0;
  uint64_t id = 0;
  friend bool operator==(const SessionRef&, const SessionRef&) = default;
};

// What became of a publish.
struct PublishResult {
  Outcome outcome = Outcome::kOk;
  std::string detail{};  // what is wrong, in words; empty where outcome is kOk
  uint64_t epoch = 0;
  uint64_t offset = 0;
  uint64_t recipients = 0;
  bool duplicate = false;
};
// Runs on the thread of the shard that published.
using PublishDone = absl::AnyInvocable<void(const PublishResult&)>;

// Who is told what became of a publish: a session, or `done` where there is none.
struct PublishReply {
  SessionRef session;
  PublishDone done;
  // About how many bytes of answers the session waits for (Session::Await).
  uint32_t awaited = 0;
  // What the ack repeats. Without an id a session is told of failures only.
  std::string id;
  std::string topic;
  std::string user_id;
};

// A message on its way. It has passed the gate.
struct Publication {
  // BROADCAST, or DIRECT. DIRECT without `to` goes back to reply.session.
  v1::Message message;
  Arrival arrival;
  // Whom the message's id is unique for; empty: nobody, so no id is remembered.
  std::string publisher;
  PublishReply reply;
};

// Thread-safe in so far as each shard may call it on its own thread.
class Bus {
 public:
  virtual ~Bus() = default;
  // Answers publication.reply, once. Runs on: the thread of `from`.
  virtual void Publish(Shard& from, Publication publication) = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_BUS_H_
