// One live connection of one client, as the engine keeps it: its user, its cursors into logs, its
// mailbox. Nothing is queued here: a transport that can write pulls.
#ifndef CRIER_SERVER_ENGINE_SESSION_H_
#define CRIER_SERVER_ENGINE_SESSION_H_

#include <boost/intrusive/list_hook.hpp>
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
#include "server/base/string_map.h"
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
  // The client may begin with a Hello that says from where it goes on. Until its first frame, or
  // for a tick or two (kTickInterval) where none comes, the empty topic's events wait, so that none
  // of them is sent before the cursor is moved back and then again.
  bool expect_hello = false;
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

// Links a session into its shard's list of those that have something to send.
using ReadyHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Runs on: the session's shard thread, all of it.
//
// Created by Shard::OpenSession, destroyed by End. The transport holds a plain pointer between the
// two.
class Session : public ReadyHook {
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

  // --- For the rest of the engine.

  // Starts to follow the empty topic.
  void Open();
  // Puts an event into the mailbox.
  void Deliver(const v1::Event& event, TimePoint at);
  // The feed of this subscription has something for it. `first`: its turn comes with the answers.
  void MarkReady(Subscription* subscription, bool first = false);
  // The feed can be read: the cursor gets its start.
  void StartCursor(Subscription* subscription);
  // The first frame has not come in time: sends what was held back for it.
  void StopExpectingHello();
  // Closes the session if its policy says so and a log's tail has passed its cursor.
  void CheckSlowConsumer();
  // Asks the transport to close; nothing is sent or handled from here on. Once.
  void RequestClose(Outcome outcome, std::string_view detail);
  bool closing() const { return closing_; }
  void Wake();

 private:
  // --- session.cc: frames.
  void Dispatch(v1::ClientFrame frame, const Arrival& arrival, bool first);
  void HandleHello(const v1::Hello& hello);
  void HandleSubscribe(const v1::Subscribe& subscribe);
  void HandleUnsubscribe(const v1::Unsubscribe& unsubscribe);
  void HandlePresence(const v1::PresenceQuery& query);
  bool TakeRateToken(TimePoint now);
  // Speaks for this user from now on, where there is none yet and the session may choose. False:
  // the name was refused.
  bool AdoptUser(const std::string& user_id);
  void SetUser(const std::string& user_id);
  void SendWelcome();

  // --- session_messages.cc: messages.
  void HandleMessage(v1::Message message, const Arrival& arrival);
  void Echo(v1::Message message, const Arrival& arrival);
  void Publish(v1::Message message, const Arrival& arrival);
  std::string PublisherKey(const v1::Message& message) const;
  void SendAck(std::string_view id, std::string_view topic, const PublishResult& result,
               std::string_view user_id);

  // --- session_cursors.cc: following topics.
  void Follow(Subscription* subscription, std::string_view topic, v1::SlowConsumerPolicy policy,
              std::unique_ptr<Subscription::Pending> pending);
  void Unfollow(Subscription* subscription);
  void ResumeAt(Subscription* subscription, const v1::ResumePoint& point);
  void ReseatEmptyTopic(const v1::ResumePoint& point);
  void NoteGap(v1::GapReason reason, const Subscription& subscription, uint64_t first,
               uint64_t last);
  Subscription* Find(std::string_view topic);
  const Subscription* Find(std::string_view topic) const;

  // --- session_output.cc: what the client is owed.
  void SkipWhatIsGone();
  void AddRuns(Subscription* subscription, size_t budget);
  std::string_view TakeCut(size_t segment, size_t bytes);
  void Advance(Subscription* subscription, const EventRun& run, uint64_t last);
  void DropDrained();
  void EnqueueReady();
  void EnqueueAnswered();

  Shard* const shard_;
  const uint64_t id_;
  Transport* const transport_;
  const Encoding* const encoding_;
  std::string user_id_;
  const TransportKind kind_;
  const bool adopt_user_id_;
  const bool welcome_;
  bool expects_hello_;
  bool had_first_frame_ = false;
  bool blocked_ = false;
  bool closing_ = false;
  bool answered_ = false;  // in the shard's list of those that go first
  v1::SlowConsumerPolicy policy_;

  Mailbox mailbox_;
  // Encoded gaps; sent before anything else.
  std::string notes_;
  Subscription empty_topic_;
  StringMap<std::unique_ptr<Subscription>> topics_;
  // Subscriptions with something to send, in the order of their turns.
  absl::InlinedVector<Subscription*, 1> ready_;

  uint32_t errors_ = 0;  // since errors_since_
  TimePoint errors_since_{};
  double rate_tokens_ = 0;
  TimePoint rate_since_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SESSION_H_
