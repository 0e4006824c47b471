// One live connection of one client, as the engine keeps it: its user, its cursors into logs, its
// mailbox. Nothing is queued here: a transport that can write pulls.
#ifndef CRIER_SERVER_ENGINE_SESSION_H_
#define CRIER_SERVER_ENGINE_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/base/outcome.h"
#include "server/engine/bus.h"
#include "server/engine/chunk.h"
#include "server/engine/encoding.h"
#include "server/engine/mailbox.h"
#include "server/engine/subscription.h"
#include "server/engine/transport.h"
#include "server/metrics/metrics.h"

namespace crier {

class Shard;

struct SessionOptions {
  TransportKind kind = TransportKind::kWebSocket;
  // Lives for ever.
  const Encoding* encoding = nullptr;
  // Outlives the session (until Session::End has returned).
  Transport* transport = nullptr;
  // Empty: none yet.
  std::string user_id;
  // Take the user from the first message that names one, where user_id is empty.
  bool adopt_user_id = false;
  // Send Welcome as the first event.
  bool welcome = false;
  // UNSPECIFIED: the engine's default.
  v1::SlowConsumerPolicy slow_consumer_policy = v1::SLOW_CONSUMER_POLICY_UNSPECIFIED;
};

// A run of encoded bytes. Valid until Session::Take, or until control returns to the shard's loop;
// who needs it longer takes a reference to the chunk. chunk == nullptr: the bytes are the session's
// own, and have to be copied to be kept.
struct Slice {
  const char* data;
  size_t size;
  const Chunk* chunk;
};

// Runs on: the session's shard thread, all of it.
//
// Created by Shard::OpenSession, destroyed by End. The transport holds a plain pointer between the
// two.
class Session {
 public:
  // Use Shard::OpenSession.
  Session(Shard* shard, uint64_t id, SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // --- What the client sends.

  // Does what the frame asks. What is wrong with it is told to the client (Error), and the session
  // goes on. May call Transport::Close, never Transport::Wake.
  void Handle(v1::ClientFrame frame, const Arrival& arrival);

  // The transport could not make a frame of what it received: tells the client so, and closes the
  // session when that has happened too often. `frame_id` is the frame's own id, where it had one.
  void Refuse(Outcome outcome, std::string_view message, std::string_view frame_id = {});

  // --- What the client is owed.

  // True while there is something to send.
  bool has_pending() const;

  // What comes next, at most about `budget` bytes of it (one event always fits). Empty: nothing.
  std::span<const Slice> Peek(size_t budget);

  // The transport took the first `bytes` of what the last Peek returned. Where that cuts an event
  // in two, returns the rest of that event (valid as long as a Slice): the transport has to send it
  // before anything else, so it keeps a copy. The event counts as delivered.
  std::string_view Take(size_t bytes);

  // The kernel (or the peer's flow control) takes no more bytes for now, or does again. A blocked
  // session is lagging: nobody waits for it, and it is not woken. Going back to false wakes the
  // transport, in the shard's next flush, where there is something to send.
  void SetBlocked(bool blocked);
  bool blocked() const { return blocked_; }

  // Asks for a Wake in the shard's next flush, where there is something to send. For a transport
  // that can write again after it left Wake without taking everything.
  void WakeLater();

  // --- Its end.

  // The connection is gone, for this reason. Destroys the session.
  void End(Outcome outcome);

  // --- Facts.

  uint64_t id() const { return id_; }
  const std::string& user_id() const { return user_id_; }
  TransportKind kind() const { return kind_; }
  Shard& shard() const { return *shard_; }
  ShardMetrics::PerTransport& metrics() const;

  // Of a topic that the session follows, or of its mailbox. At any time
  // delivered + skipped == next - 1 - start, and once all is taken next - 1 == head.
  struct Account {
    uint64_t start = 0;  // the last offset before the first one owed
    uint64_t next = 0;   // the next offset to send
    uint64_t head = 0;   // the last offset known here
    uint64_t delivered = 0;
    uint64_t skipped = 0;
  };
  // All zero where it is not followed.
  Account AccountOf(std::string_view topic) const;
  Account MailboxAccount() const;
