// One gRPC call: turns a stream of an HTTP/2 connection into messages and a status (gRPC's
// doc/PROTOCOL-HTTP2.md). Its handler knows what the messages mean.
#ifndef CRIER_SERVER_GRPC_CALL_H_
#define CRIER_SERVER_GRPC_CALL_H_

#include <boost/intrusive/list_hook.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/base/clock.h"
#include "server/base/outcome.h"
#include "server/engine/session.h"
#include "server/engine/shard.h"
#include "server/grpc/message_reader.h"
#include "server/grpc/status.h"
#include "server/metrics/handler_exceptions.h"
#include "server/metrics/metrics.h"
#include "server/service/pulled_message.h"

namespace crier {

class Http2Connection;
class MethodTable;

// The header fields of a request. Names are in lower case, as HTTP/2 requires.
struct RequestHead {
  // In bytes as HTTP/2 counts them: for each field its name, its value and 32 (RFC 9113, section
  // 6.5.2). Fields over the limit are counted but not kept.
  size_t bytes = 0;
  std::vector<std::pair<std::string, std::string>> fields;

  // The value of the first field of this name. Empty: there is none.
  std::string_view Find(std::string_view name) const;
};

// Serves a call, which owns it. Runs on: shard thread.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // A whole message has come. Not called after the call has got its status.
  virtual void OnMessage(std::string_view message) = 0;
  // The client will send no more, but may still receive.
  virtual void OnHalfClose() {}
  // The connection will end: a client that is told may move before.
  virtual void OnDrain() {}
  // Nothing was sent for a while, and the client takes bytes.
  virtual void OnIdle() {}
  // The server stops. The handler has to give the call its status soon.
  virtual void OnShutdown() = 0;
  // The call is over, and the handler will be destroyed. `outcome`: kOk if the status was sent or
  // the client has cancelled the call, else the reason.
  virtual void OnOver(Outcome /*outcome*/) {}

  // Instead of sending its messages, a handler may let the call pull them when the client can take
  // them (Call::Ready). Peek: the next message, in pieces, of at most about `budget` bytes. Empty:
  // there is none. Take: all of it was taken.
  virtual std::span<const Slice> Peek(size_t /*budget*/) { return {}; }
  virtual void Take(size_t /*bytes*/) {}
  // The client can take bytes again after Call::can_send was false.
  virtual void OnCanSend() {}
  // All that was given to Call::Send has left.
  virtual void OnAllSent() {}
};

using CallHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Runs on: shard thread, except shard(). Lives as long as somebody refers to it. When the call is
// over, its functions do nothing.
class Call final : public CallHook, public std::enable_shared_from_this<Call> {
 public:
  // The most that a pulled message holds, except for a single larger event. With its prefix, this
  // is one DATA frame of the usual size (RFC 9113, section 6.5.2, SETTINGS_MAX_FRAME_SIZE).
  static constexpr size_t kMessageBudget = (16 << 10) - kMessagePrefixBytes;
  Call(Http2Connection* connection, int32_t id);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // --- For handlers, and for code that answers later.

  Shard& shard() const { return shard_; }
  // The request's fields. Valid until the handler has been made.
  const RequestHead& head() const { return *head_; }

  // Adds a field to the response's head, before that has left, or to its trailers. Names are in
  // lower case. Values of names that end in "-bin" are base64 already.
  void AddHeader(std::string name, std::string value);
  void AddTrailer(std::string name, std::string value);
  // Sends the head now, and not together with the first message or the status.
  void SendHead();

  // Sends a message. It waits here until the client takes it, so a handler with long or many
  // answers makes them in AwaitRoom. Where the connection keeps too much already, the call ends
  // with RESOURCE_EXHAUSTED.
  void Send(std::string_view message);
  // The same for one that is given in parts. The last of a call.
  void Send(std::unique_ptr<PulledMessage> message);
  // Runs `answer`, which sends about `bytes`, once the client takes bytes and the connection has
  // room for so many: at once, or later. Not if the call ends before. Of the answers that are made
  // this way at most kMostAnswerBytes wait on a connection. One at a time. A client that has
  // half-closed and does not take bytes within GrpcOptions::close_timeout is cut off.
  void AwaitRoom(size_t bytes, absl::AnyInvocable<void()> answer);
  static constexpr size_t kMostAnswerBytes = 3 << 20;
  // The one request of the call has to be whole within GrpcOptions::handshake_timeout, until
  // HasRequest. So nobody holds a call by sending it byte by byte.
  void AwaitRequest();
  void HasRequest();
  // Ends the call after everything that was sent. The first status counts.
  void Finish(GrpcStatus status);
  bool finishing() const { return status_ != nullptr; }
  bool over() const { return connection_ == nullptr; }
  // The user that the client's certificate names (TLS); empty: none. REQUIRES: !over().
  std::string certificate_user() const;
  // False, and the call was finished: its client's address makes too many in a second. REQUIRES:
  // !over().
  bool TakeRate();
  // The client's address, without its port; empty: it is not known, or the call is over.
  std::string PeerAddress() const;

  // There is something to pull. It is sent soon. If `in_turn`, at the end of the shard's turns.
  void Ready(bool in_turn);
  // True if the client's flow control and the kernel take bytes now. If not, OnCanSend follows.
  bool CanSend();
  // Cuts the call off and drops what is unsent.
  void Reset();

  // Runs `action`, which is about this call. Where it throws, that is noted, and the call ends with
  // INTERNAL; its handler is gone then. Not only for the handler: also for who answers later.
  template <class Action>
  void Guard(Action&& action) noexcept {
    if (!NoThrow(&shard_.metrics().handler_exceptions, "a gRPC call's handler", action)) Fail();
  }

  // From PauseReading to ResumeReading the handler gets no message and no half-close. What comes is
  // kept, and not acknowledged to the stream's flow control: at most the stream's window. The
  // connection's window, which all streams share, is not held back. ResumeReading hands nothing on
  // from inside itself.
  void PauseReading() { reading_paused_ = true; }
  void ResumeReading();

  // The handler keeps so many bytes of what it was given. Where that is too much for the connection
  // or the server, the call is finished soon.
  void Keep(size_t bytes);

  // --- For the connection.

  int32_t id() const { return id_; }

  // The request's head, field by field; then Begin. False: it is longer than `max_bytes`, and
  // nothing more of it is wanted.
  bool AddField(std::string_view name, std::string_view value, size_t max_bytes);
  void Begin(const MethodTable& methods);
  // Returns how many of the bytes are done with; the others are kept, and Http2Connection::Consumed
  // follows when they are done with too.
  size_t OnData(std::string_view bytes);
  void OnHalfClose();
  void OnDrain();
  // Each half of a heartbeat's interval.
  void OnBeat();
  void OnShutdown();
  // The connection has refused it, with this status.
  void OnRefused(GrpcStatus status);
  // The stream is closed, or the connection.
  void OnOver(Outcome outcome);

  // When the call has to have come to its end, in served time (served_time.h); TimePoint(): no such
  // time.
  TimePoint due() const { return due_; }
  void OnDue();

  // The number of bytes of DATA that come next, at most `most`. 0: none for now.
  size_t Offer(size_t most);
  // The connection may have room for an answer that waits for it.
  void TryRoom();
  void LeaveRoomQueue() {
    if (answer_ != nullptr) answer_->is_listed = false;
  }
  // Appends this many bytes. REQUIRES: the last Offer returned this number.
  void AppendOffered(size_t bytes, std::string* out);
  // True if only the status is left to send after `offered` bytes.
  bool EndsAfter(size_t offered) const;
  const GrpcStatus& status() const { return *status_; }
  // What the handler has added to the response; null: nothing.
  struct AddedFields {
    std::vector<std::pair<std::string, std::string>> head;
    std::vector<std::pair<std::string, std::string>> trailers;
  };
  const AddedFields* added() const { return added_.get(); }
  // An HTTP status other than 200, for a request that is not a gRPC call.
  int http_status() const { return http_status_; }

  // The connection's: itself, until it is over; whether the response's head was submitted; what it
  // has received and handled, and nghttp2 was not told of yet.
  std::shared_ptr<Call> self;
  bool responded = false;
  uint32_t unconsumed = 0;

 private:
  bool reading_paused_ = false;
  bool sent_since_beat_ = true;
  bool half_close_kept_ = false;  // it comes behind what is kept
  bool hand_on_posted_ = false;
  bool refused_more_ = false;
  bool awaits_request_ = false;  // and `due_` is for that

  void Fail() noexcept;
  void Refuse(int http_status, std::string message);
  void SetDeadline(std::string_view timeout);
  // Hands on the messages that are whole with these bytes. Returns how many of the bytes were used:
  // all, but where reading is paused.
  size_t HandOn(std::string_view bytes);
  void HandOnKept();
  void HandOnHalfClose();
  bool keeps() const { return reading_paused_ || kept_ != nullptr; }
  void EndHandler(Outcome outcome);
  void Count();  // in the metrics
  // Tells the shard's meter and the connection what is kept here.
  void Account();
  void AccountAs(size_t in, size_t out);
  void DropKept();
  void AppendQueued(size_t bytes, std::string* out);
  void RefuseMore();  // may be kept
  void ReleaseRoom();
  size_t queued() const { return out_.size() - out_taken_ + pulled(); }
  size_t pulled() const { return answer_ == nullptr ? 0 : answer_->left; }

  Shard& shard_;
  Http2Connection* connection_;  // null: over
  const int32_t id_;
  int16_t http_status_ = 200;
  bool half_closed_ = false;
  bool waits_to_send_ = false;  // OnCanSend has to follow
  GrpcMethod method_ = GrpcMethod::kUnknown;
  const TimePoint begun_;
  std::unique_ptr<RequestHead> head_;
  std::unique_ptr<CallHandler> handler_;
  std::unique_ptr<GrpcStatus> status_;
  std::unique_ptr<AddedFields> added_;
  MessageReader reader_;
  // What came while reading was paused, from kept_->used on; null: nothing.
  struct Kept {
    std::string bytes;
    size_t used = 0;
  };
  std::unique_ptr<Kept> kept_;
  // What waits to be sent, framed as messages, and how much of it was taken.
  std::string out_;
  size_t out_taken_ = 0;
  // An answer that waits for room, or has it.
  struct Answer {
    absl::AnyInvocable<void()> make;  // null: it was made
    size_t room = 0;                  // wanted, or taken
    bool has_room = false;
    bool is_listed = false;  // among those that wait
    bool due_is_its = false;
    std::unique_ptr<PulledMessage> message;  // comes behind out_
    size_t left = 0;                         // of the message
  };
  std::unique_ptr<Answer> answer_;  // null: none
  uint32_t handler_keeps_ = 0;
  uint32_t trailer_bytes_ = 0;
  uint32_t accounted_in_ = 0;
  uint32_t accounted_out_ = 0;
  std::span<const Slice> peeked_;  // between Offer and AppendOffered
  size_t peeked_bytes_ = 0;
  TimePoint due_{};
  TimePoint callers_due_{};  // `due_`, where that was left for another one
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_CALL_H_
