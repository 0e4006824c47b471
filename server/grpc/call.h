// One gRPC call: a stream of an HTTP/2 connection, as messages and a status (gRPC's
// doc/PROTOCOL-HTTP2.md). What the messages mean is its handler's business.
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

#include "server/base/clock.h"
#include "server/base/outcome.h"
#include "server/engine/session.h"
#include "server/engine/shard.h"
#include "server/grpc/message_reader.h"
#include "server/grpc/status.h"

namespace crier {

class Http2Connection;
class MethodTable;

// The header fields of a request. Names are in lower case, as HTTP/2 wants them.
struct RequestHead {
  // In bytes as HTTP/2 counts them: name, value and 32 of each field (RFC 9113, section 6.5.2).
  // Fields that would take this over the limit are counted and not kept.
  size_t bytes = 0;
  std::vector<std::pair<std::string, std::string>> fields;

  // The first one's value; empty: there is none.
  std::string_view Find(std::string_view name) const;
};

// What serves a call; belongs to it. Runs on: shard thread.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // A whole message has come. Not called once the call has its status.
  virtual void OnMessage(std::string_view message) = 0;
  // The client will send no more, and may still receive.
  virtual void OnHalfClose() {}
  // The server stops. The call has to get its status soon.
  virtual void OnShutdown() = 0;
  // The call is over, and the handler about to be destroyed. `outcome`: kOk where the status was
  // sent or the client has cancelled the call; else why not.
  virtual void OnOver(Outcome /*outcome*/) {}

  // A handler may have its messages pulled when the client can take them, instead of sending them
  // (Call::Ready). Peek: the next message, in pieces, of at most about `budget` bytes; empty: there
  // is none. Take: all of it was taken.
  virtual std::span<const Slice> Peek(size_t /*budget*/) { return {}; }
  virtual void Take(size_t /*bytes*/) {}
  // The client can take bytes again after Call::can_send was false.
  virtual void OnCanSend() {}
};

using CallHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Runs on: shard thread, all of it but shard. Lives as long as somebody refers to it; once it is
// over, its functions do nothing.
class Call final : public CallHook, public std::enable_shared_from_this<Call> {
 public:
  // What a pulled message holds at most, but for a single larger event: with its prefix, one DATA
  // frame of the usual size (RFC 9113, section 6.5.2, SETTINGS_MAX_FRAME_SIZE).
  static constexpr size_t kMessageBudget = (16 << 10) - kMessagePrefixBytes;
  // What may wait to be sent of a handler that sends without looking whether the client takes it.
  static constexpr size_t kMostQueuedBytes = 4 << 20;

  Call(Http2Connection* connection, int32_t id);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // --- For handlers, and for who answers later.

  Shard& shard() const { return shard_; }
  // Of the request, until the handler has been made.
  const RequestHead& head() const { return *head_; }

  // Sends a message.
  void Send(std::string_view message);
  // Ends the call, behind what was sent. The first status counts.
  void Finish(GrpcStatus status);
  bool finishing() const { return status_ != nullptr; }
  bool over() const { return connection_ == nullptr; }

  // There is something to pull. Sent soon; where `in_turn`, at the end of the shard's turns.
  void Ready(bool in_turn);
  // The client's flow control and the kernel take bytes now. Where not, OnCanSend follows.
  bool CanSend();
  // Cuts the call off, with whatever is unsent.
  void Reset();

  // --- For the connection.

  int32_t id() const { return id_; }

  // The request's head, field by field; then Begin.
  void AddField(std::string_view name, std::string_view value, size_t max_bytes);
  void Begin(const MethodTable& methods, size_t max_metadata_bytes);
  void OnData(std::string_view bytes, size_t max_message_bytes);
  void OnHalfClose();
  void OnShutdown();
  // The stream is closed, or the connection.
  void OnOver(Outcome outcome);

  // When the call has to have come to its end; TimePoint(): no such time.
  TimePoint due() const { return due_; }
  void OnDue();

  // How many bytes of DATA come next, at most `most`. 0: none for now.
  size_t Offer(size_t most);
  // Appends so many bytes. REQUIRES: the last Offer returned this number.
  void AppendOffered(size_t bytes, std::string* out);
  // Nothing is left to be sent but the status, once `offered` bytes are.
  bool EndsAfter(size_t offered) const;
  const GrpcStatus& status() const { return *status_; }
  // An HTTP status other than 200, for a request that is no gRPC call.
  int http_status() const { return http_status_; }

  // The connection's: itself, until it is over; and whether the response's head was submitted.
  std::shared_ptr<Call> self;
  bool responded = false;

 private:
  void Refuse(int http_status, std::string message);
  void SetDeadline(std::string_view timeout);
  void EndHandler(Outcome outcome);
  size_t queued() const { return out_.size() - out_taken_; }

  Shard& shard_;
  Http2Connection* connection_;  // null: over
  const int32_t id_;
  int16_t http_status_ = 200;
  bool half_closed_ = false;
  bool waits_to_send_ = false;  // OnCanSend is owed
  std::unique_ptr<RequestHead> head_;
  std::unique_ptr<CallHandler> handler_;
  std::unique_ptr<GrpcStatus> status_;
  MessageReader reader_;
  // What waits to be sent, framed as messages, and how much of it was taken.
  std::string out_;
  size_t out_taken_ = 0;
  std::span<const Slice> peeked_;  // between Offer and AppendOffered
  size_t peeked_bytes_ = 0;
  TimePoint due_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_CALL_H_
