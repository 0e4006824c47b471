// How a publish leaves the shard it came in on: one road for all, on one node and on many.
//
// On one node (LocalBus) a topic's home shard gives out its offsets. Where nodes share topics
// (SharedBus), what they share does, and the home shard of each node repeats it: events come to it
// with their offsets, in order, and everything behind it is the same.
#ifndef CRIER_SERVER_ENGINE_BUS_H_
#define CRIER_SERVER_ENGINE_BUS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

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

class SharedBus;

// Thread-safe in so far as each shard may call it on its own thread.
class Bus {
 public:
  virtual ~Bus() = default;
  // Answers publication.reply, once. Runs on: the thread of `from`.
  virtual void Publish(Shard& from, Publication publication) = 0;
  // The first of all that is asked of it for this shard. Runs on: the shard's thread.
  virtual void Start(Shard&) {}
  // The node leaves for good: its shards' threads are about to end. Waits a moment for what is said
  // then. Runs on: none of their threads.
  virtual void Leave() {}
  // The shards' threads have ended: lets go of all that refers to the shards. Nothing is asked of
  // what is shared from then on.
  virtual void Stop() {}
  // Sessions' ids count from here.
  virtual uint64_t first_session_id() const { return 1; }
  // Null: this node shares nothing.
  virtual SharedBus* shared() { return nullptr; }
};

// Events of a topic's past, from what the nodes share.
struct PastEvents {
  Outcome outcome = Outcome::kOk;  // or kUnavailable
  uint64_t epoch = 0;
  uint64_t tail = 1;  // the oldest offset kept; head + 1: none
  uint64_t head = 0;
  // From the offset that was asked for, or from the tail where that is later; one after the other.
  std::vector<v1::Message> messages;
};
// Runs on the thread of the shard that asked.
using PastDone = absl::AnyInvocable<void(PastEvents)>;

// Of other nodes. Runs on the thread of the shard that asked.
using PresenceDone = absl::AnyInvocable<void(std::vector<v1::Presence>)>;

// What one node has answered another.
struct NodeAnswer {
  std::string node;
  std::string text;
};
struct NodeAnswers {
  // What nodes share is away: nobody was asked.
  bool unavailable = false;
  std::vector<NodeAnswer> answers;  // in no order
  size_t silent = 0;                // nodes that were asked and have not answered in time
};
// Runs on the thread of the shard that asked.
using NodesDone = absl::AnyInvocable<void(NodeAnswers)>;
// Answers what another node asks: calls `answer` once, on the thread of the shard, soon or later.
// Runs on: the thread of one of the shards, which is always the same.
using NodeAnswerer = std::function<void(Shard& shard, const std::string& question,
                                        absl::AnyInvocable<void(std::string)> answer)>;

// How much of a topic's past is wanted at once: one event at least, where there is one.
struct PastLimits {
  size_t events = 0;
  size_t bytes = 0;
};

// What a topic's, or a user's, home shard asks of a bus that nodes share. Runs on: the thread of
// `home`.
class SharedBus : public Bus {
 public:
  SharedBus* shared() override { return this; }

  // Somebody on this node begins to follow the topic. The answer is TopicStore::Begin; events come
  // by TopicStore::Append from then on, until Unfollow. Each Follow is followed by one Unfollow.
  virtual void Follow(Shard& home, const std::string& topic) = 0;
  // Nobody does any more.
  virtual void Unfollow(Shard& home, const std::string& topic) = 0;
  // Answers `done` once.
  virtual void ReadPast(Shard& home, const std::string& topic, uint64_t from, PastLimits limits,
                        PastDone done) = 0;
  // A topic that nothing was published to yet has this epoch until something is. So who was at its
  // beginning, and comes back in a later epoch, has missed nothing before that one. Runs on: the
  // thread of `shard`, which may be any.
  virtual bool IsBeforeAll(Shard& shard, std::string_view topic, uint64_t epoch) = 0;
  // The user's first session on this node has come, or the last one has gone. Messages to the user
  // come by PublishDesk::Deliver in between.
  virtual void SetUser(Shard& home, const std::string& user, bool here) = 0;
  // `done` runs once messages to the user, who is here, come from every node; or where what is
  // shared is away, at once.
  virtual void AwaitUser(Shard& home, const std::string& user, absl::AnyInvocable<void()> done) = 0;
  // Who follows the topic on the other nodes: an answer of each. `done` runs once, after about a
  // second at the latest, with those that have come by then.
  virtual void AskPresence(Shard& home, const std::string& topic, PresenceDone done) = 0;

  // --- Changes of presence.

  // Somebody on this node begins to watch who follows the topic; each is followed by one
  // UnwatchPresence. Who follows it elsewhere comes by TopicStore::ChangeFollowersElsewhere from
  // then on.
  virtual void WatchPresence(Shard& home, const std::string& topic) = 0;
  virtual void UnwatchPresence(Shard& home, const std::string& topic) = 0;
  // The user's first session on this node follows the topic, or the last one has ceased to.
  virtual void FollowerChanged(Shard& home, const std::string& topic, const std::string& user,
                               bool here) = 0;

  // --- What nodes ask each other.

  // This node's name: no other has the same. Thread-safe.
  virtual const std::string& node() const = 0;
  // Who answers. Thread-safe; before the other nodes ask.
  virtual void SetAnswerer(NodeAnswerer answerer) = 0;
  // Asks one other node, or where `node` is empty, all others. `done` runs once, after about two
  // seconds at the latest, with the answers that have come by then; from inside of this call where
  // nobody can be asked. Runs on: the thread of `shard`.
  virtual void AskNodes(Shard& shard, const std::string& node, std::string question,
                        NodesDone done) = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_BUS_H_
