// One live connection of one client, as the engine keeps it: who it is, what state it is in, and
// its end. What it sends is its FrameHandler's, the topics that it follows are its Following's, and
// what it is owed is its Outlet's.
#ifndef CRIER_SERVER_ENGINE_SESSION_H_
#define CRIER_SERVER_ENGINE_SESSION_H_

#include <boost/intrusive/list_hook.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/base/outcome.h"
#include "server/engine/access.h"
#include "server/engine/bus.h"
#include "server/engine/encoding.h"
#include "server/engine/following.h"
#include "server/engine/frame_handler.h"
#include "server/engine/gate.h"
#include "server/engine/outlet.h"
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
  UserId user_id;
  // Take the user from the first message that names one, where user_id is empty.
  bool adopt_user_id = false;
  // What the client's token grants, or what a client without one may do; where it is set, the user
  // is its. Where clients are authenticated (EngineOptions::authenticator), neither of the two
  // above means anything, and a session without a grant waits for a token: its first frame has to
  // bring one, within EngineOptions::token_timeout. Until then it follows nothing and is sent
  // nothing.
  std::optional<Grant> grant = {};
  // Send Welcome as the first event.
  bool welcome = false;
  // The client may begin with a Hello that says from where it goes on. Until its first frame, or
  // for EngineOptions::hello_timeout, the empty topic's events wait, so that none of them is sent
  // before the cursor is moved back and then again.
  bool expect_hello = false;
  // UNSPECIFIED: the engine's default.
  v1::SlowConsumerPolicy slow_consumer_policy = v1::SLOW_CONSUMER_POLICY_UNSPECIFIED;
};

// Links a session into one of its shard's lists: of those that have something to send, or that lag.
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
  // goes on. May call Transport::Close and PauseReading, never Transport::Wake.
  // `bytes`: of the message, as the limit on bytes per second counts them; nullopt: it is a part of
  // a message that was counted.
  void Handle(v1::ClientFrame frame, const Arrival& arrival, std::optional<size_t> bytes);

  // The transport could not make a frame of what it received, `bytes` long: tells the client so,
  // and closes the session when that has happened too often. `frame_id` is the frame's own id,
  // where it had one.
  void Refuse(Outcome outcome, std::string_view message, size_t bytes,
              std::string_view frame_id = {});

  // The client sent a control frame of its transport that costs an answer (a WebSocket ping). These
  // count towards the limit on frames per second. False: it is over the limit, and is to have no
  // answer; the client is told.
  bool AllowControlFrame();

  // The client sends nothing more, and may go on receiving.
  void SendsNoMore() { following_.LetGo(); }

  // --- What the client is owed.

  // True while there is something to send.
  bool has_pending() const { return state_ != State::kClosing && outlet_.has_pending(); }

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
  bool blocked() const { return state_ == State::kBlocked; }

  // Asks for a Wake in the shard's next flush, where there is something to send. For a transport
  // that can write again after it left Wake without taking everything.
  void WakeLater();

  // Nothing can be sent any more, while what the client sent before is still read: that it does not
  // take its answers is no reason to hold it any longer.
  void SetBroken();

  // --- Its end.

  // The connection is gone, for this reason. Destroys the session.
  void End(Outcome outcome);

  // --- Facts.

  uint64_t id() const { return id_; }
  SessionRef ref() const;
  const std::string& user_id() const { return user_id_; }
  TransportKind kind() const { return kind_; }
  // When it was opened, in seconds since 1970.
  int64_t opened_at() const { return opened_at_; }
  // See Transport::PeerAddress.
  std::string PeerAddress() const { return transport_->PeerAddress(); }
  Shard& shard() const { return *shard_; }
  ShardMetrics::PerTransport& metrics() const { return outlet_.metrics(); }
  // Takes what it is owed: neither blocked nor closing.
  bool takes() const { return state_ == State::kOpen; }
  bool closing() const { return state_ == State::kClosing; }
  // What it may do. Null: everything, and it says itself who it is.
  const SessionAccess* access() const { return access_.get(); }
  // One more token is looked at now. REQUIRES: access() is not null.
  bool TakeToken(TimePoint now) { return access_->TakeToken(now); }

  // Where it stands in a topic that it follows, or in its mailbox. At any time
  // delivered + skipped == next - 1 - start, and once all is taken next - 1 == head.
  struct Position {
    uint64_t start = 0;  // the last offset before the first one owed
    uint64_t next = 0;   // the next offset to send
    uint64_t head = 0;   // the last offset known here
    uint64_t delivered = 0;
    uint64_t skipped = 0;
  };
  // All zero where it is not followed.
  Position PositionIn(std::string_view topic) const;
  Position MailboxPosition() const;

  // --- For the rest of the engine.

  Outlet& outlet() { return outlet_; }
  const Outlet& outlet() const { return outlet_; }
  Following& following() { return following_; }
  const Following& following() const { return following_; }
  v1::SlowConsumerPolicy policy() const { return static_cast<v1::SlowConsumerPolicy>(policy_); }
  void set_policy(v1::SlowConsumerPolicy policy) { policy_ = static_cast<uint8_t>(policy); }

  // Greets, and starts to follow the empty topic; or waits for a token.
  void Open();
  // A token that the session waited for, or a new one. Of the same user: where it is another's, the
  // session is closed. What the session follows and may not follow any more, it follows no longer.
  // REQUIRES: access() is not null.
  void TakeGrant(Grant grant);
  // The end of the session's token has come.
  void EndOfToken() { RequestClose(Outcome::kTokenExpired, {}); }
  // Its user has as many sessions as it may: closes it.
  void RefuseUser();
  // Speaks for this user from now on, where there is none yet and the session may choose.
  void AdoptUser(const std::string& user_id);
  // What the answer to a question about presence is counted as while it is on its way: there may be
  // a thousand names in it.
  static constexpr int64_t kPresenceBytes = 8 << 10;
  // The same of a snapshot (PresenceDesk): one may take a second, and those of one topic share one
  // event. So a session may ask for as many as it can watch topics, and goes on being read.
  static constexpr int64_t kSnapshotBytes = 1 << 10;

  // What became of a publish of this session.
  void OnPublished(const PublishReply& reply, const PublishResult& result);

  // Puts an event into the mailbox: Answer, one that the session's own frames gave rise to. Where
  // the session does not read those, it is not read from either: from half of the mailbox's limits
  // on, until a quarter is left. Only answers count, so that nobody can stop a session's input by
  // what he sends it.
  void Deliver(const v1::Event& event, TimePoint at);
  void Answer(const v1::Event& event, TimePoint at);
  // Answers to the session's own frames, of about so many bytes, are on their way, or have come
  // (negative). They count as if they were here: who sends without reading may not have more on the
  // way from other shards than fits.
  void Await(int64_t bytes);
  void SendAck(std::string_view id, std::string_view topic, const PublishResult& result,
               std::string_view user_id);
  // Says that events will not come, before anything else.
  void NoteGap(const v1::Gap& gap);
  // The cursor has something to read. `first`: its turn comes with the answers.
  void MarkReady(Cursor* cursor, bool first = false);
  // Its turn.
  void Wake();

  // Every node finds the session's user from now on.
  void OnUserHere();
  // Direct messages to its user may have been lost on their way to this node.
  void NoteMissedDirects();

  // Input follows output: from the first Hold to the last Release the session is not read from
  // (Transport::PauseReading). Each Hold is followed by one Release.
  void HoldReading();
  void ReleaseReading();

  // Closes the session if its policy says so and a log's tail has passed its cursor.
  void CheckSlowConsumer();
  // Asks the transport to close; nothing is sent or handled from here on. Once.
  void RequestClose(Outcome outcome, std::string_view detail);

 private:
  //   kOpen <--> kBlocked
  //      \         /
  //       v       v
  //       kClosing --> End
  enum class State : uint8_t {
    kOpen,     // takes what it is owed
    kBlocked,  // the kernel, or the peer's flow control, takes no bytes
    kClosing,  // the transport was asked to close
  };
  // Which of the shard's lists it is linked into.
  enum class Turn : uint8_t { kNone, kRound, kFirst };

  // What Open does once it is known who the client is: its user is told to others first, so that
  // who was welcomed is found by every node.
  void Begin();
  // The rest of that.
  void Welcome();
  // Nothing more is read until OnUserHere.
  void HoldForUser();
  bool HasSharedBus() const;
  void SetGrant(Grant grant);
  void NarrowFollowing(bool followed_empty_topic);
  bool MayFollow(std::string_view topic) const;
  void SetState(State state);
  void WantTurn(Turn turn);
  void SetUser(const std::string& user_id);
  void TellUser(bool here);
  void SendWelcome();
  void Put(const v1::Event& event, TimePoint at, bool answer);
  void CheckOwnAnswers();

  Shard* const shard_;
  const uint64_t id_;
  Transport* const transport_;
  std::string user_id_;
  const TransportKind kind_;
  const bool adopt_user_id_;
  const bool welcome_;
  const bool expect_hello_;
  State state_ = State::kOpen;
  Turn turn_ = Turn::kNone;
  bool held_for_answers_ = false;
  bool broken_ = false;
  bool in_close_ = false;  // Transport::Close is on the stack
  uint8_t policy_;         // a v1::SlowConsumerPolicy
  uint16_t holds_ = 0;
  uint32_t awaited_ = 0;      // bytes (Await)
  const uint32_t opened_at_;  // seconds since 1970
  bool awaits_user_ = false;  // Welcome is yet to come: OnUserHere
  bool held_for_user_ = false;
  std::unique_ptr<SessionAccess> access_;

  Outlet outlet_;
  Following following_;
  FrameHandler input_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SESSION_H_
