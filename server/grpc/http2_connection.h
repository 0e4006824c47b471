// One HTTP/2 connection of a gRPC client, on a Socket, with nghttp2 as the protocol.
//
// Flow. Everything happens on the connection's shard. Bytes from the socket go to nghttp2. It calls
// back (http2_frames.cc) with the fields and data of streams, which go to their calls. Output is
// pulled: nghttp2 asks a call for data only when the peer's flow control allows it, and the
// connection asks nghttp2 for frames only when the socket takes them. So the events for a slow
// client wait in the log, and at most kBytesPerFlush of them here.
//
// Batching. A call that has something to send marks its connection (Proceed). At the end of the
// shard's turns, each marked connection sends once, with the data of all its calls
// (GrpcConnections::FlushMarked).
//
// Life. The client speaks first. The connection ends when the peer has closed it, when the protocol
// is broken, when the peer does not answer a ping, or when it stops (GoAway) and its calls are
// finished. Then each call is over. If our side ends the connection, it waits until the peer has
// closed too (Socket::Linger). Then it removes itself.
#ifndef CRIER_SERVER_GRPC_HTTP2_CONNECTION_H_
#define CRIER_SERVER_GRPC_HTTP2_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/grpc/call.h"
#include "server/grpc/connection_memory.h"
#include "server/grpc/field_limiter.h"
#include "server/grpc/grpc_connections.h"
#include "server/net/acceptor.h"
#include "server/transport/ping_watch.h"
#include "server/transport/send_batch.h"
#include "server/transport/socket.h"

namespace crier {

// Runs on: shard thread, all of it.
class Http2Connection final : public PolledConnection, public MarkHook, private Socket::Owner {
 public:
  // The most that leaves with one flush, and the most that is kept here if a client does not take
  // it.
  static constexpr size_t kBytesPerFlush = 64 << 10;

  // Makes a connection and puts it into `set`, which outlives it.
  static void Start(GrpcConnections* set, AcceptedConnection accepted);

  Http2Connection(GrpcConnections* set, AcceptedConnection accepted);
  ~Http2Connection() override;

  // --- PolledConnection.
  TimePoint CheckDeadlines(TimePoint now) override;
  void Announce() override;
  void GoAway() override;
  void HardClose() override { Close(Outcome::kConnectionLost); }
  void OnFailed() override;

  // --- For GrpcConnections.

  // Sends the output, or adds it to the batch.
  void FlushInto(SendBatch* batch);

  // --- For calls.

  Shard& shard() const { return set_->shard(); }
  std::chrono::milliseconds close_timeout() const { return set_->options().close_timeout; }
  std::chrono::milliseconds request_timeout() const { return set_->options().handshake_timeout; }
  // The call has something to send. `in_turn`: the shard's turns are running, and their end sends
  // it.
  void Proceed(Call* call, bool in_turn = false);
  // True if the peer's flow control and the kernel take data of this stream now.
  bool CanSend(int32_t stream) const;
  // The bytes that the call has kept are done with: the client may send as many more. Released:
  // only on other streams, because this one has ended.
  void Consumed(int32_t stream, size_t bytes);
  void Released(size_t bytes);
  // The user that the client's certificate names; empty: none.
  std::string certificate_user() const;
  // The client's address; empty: the socket is closed.
  std::string PeerAddress() const;
  // One more call begins. False: the client's address makes more than calls_per_second(), where
  // that is not 0.
  bool TakeCall() { return place_.TakeCall(PeerAddress()); }
  uint32_t calls_per_second() const { return place_.calls_per_address(); }
  ConnectionMemory& memory() { return memory_; }
  // Room for answers (Call::AwaitRoom). False: there is none now. AwaitRoom: TryRoom follows.
  bool TakeRoom(size_t bytes);
  void GiveRoom(size_t bytes);
  void AwaitRoom(std::weak_ptr<Call> call) { await_room_.push_back(std::move(call)); }
  void Violated(GrpcViolation violation);
  size_t max_message_bytes() const { return set_->options().max_receive_bytes; }
  size_t max_metadata_bytes() const { return set_->options().max_metadata_bytes; }
  // Ends the stream with RST_STREAM.
  void Reset(int32_t stream);
  // Served time (served_time.h).
  TimePoint PreciseNow() const { return set_->PreciseNow(); }
  // The call is due then (Call::due).
  void CheckCallAt(TimePoint at);

 private:
  friend struct Http2Frames;  // nghttp2's callbacks

  // --- Socket::Owner.
  void OnBytes(std::span<char> bytes) override;
  void OnEnd(int error) override;
  void OnWritable() override;
  void OnSent(size_t taken) override { Sent(taken); }
  void OnBroken() override { ForgetOut(); }
  void OnLingered() override { Close(Outcome::kOk); }
  void OnException() override { set_->Fail(this); }

  // A header block that has begun has to end within the time of the handshake: no call is known yet
  // to whom its bytes would be a sign of life.
  void TimeHead();
  void SayThatThisIsHttp2(std::string_view received);
  // Lets nghttp2 write frames into out_.
  void Fill();
  // False: there is none. DATA frames append themselves (Http2Frames::SendData).
  bool AppendNextFrame();
  void ForgetOut();
  void SendNow();
  void Sent(size_t taken);
  void Beat();
  void GrowOld(TimePoint now);
  void CheckAt(TimePoint at);
  // Ends the connection if nothing is left to receive or send.
  void EndIfThrough();
  // Ends the connection if the client makes it keep too much, and says so. False: it does not.
  bool EndIfOverfull();
  // Shuts down the sending side, and closes when the peer has closed or after kLingerTime.
  void Linger(Outcome outcome);
  // Our side has ended the connection.
  bool ended() const { return socket_.lingering() || !socket_.is_open(); }
  void Close(Outcome outcome);
  void DropCalls(Outcome outcome);
  // The call is over.
  static void Drop(Call* call, Outcome outcome);

  // --- http2_frames.cc, http2_responses.cc, http2_limits.cc
  void MakeSession();
  void SubmitSettings();
  void SubmitGoAway();
  // What nghttp2 takes the call's DATA from.
  static nghttp2_data_provider DataOf(Call* call);
  void SubmitHead(Call* call);
  void SubmitTrailers(Call* call);
  void OnCallbackException();
  void OnGreeted();
  void OnClientPing();
  void OnClientReset();
  // Ends the connection: the client does something too often.
  void EnhanceYourCalm(GrpcViolation violation, std::string_view why);
  void OnErrorSent(uint32_t code);
  // Refuses a call whose head is longer than the limit, and looks at no more of it. Returns what
  // nghttp2 has to be told.
  int RefuseHead(Call* call, int32_t stream);

  GrpcConnections* const set_;
  Socket socket_;
  // The client's address, where a proxy has named it; null: it is that of the socket's other end.
  const std::unique_ptr<const std::string> client_;
  ConnectionTable::Place place_;
  ConnectionMemory memory_;
  FieldLimiter field_limiter_;
  nghttp2_session* session_ = nullptr;
  boost::intrusive::list<Call, boost::intrusive::base_hook<CallHook>,
                         boost::intrusive::constant_time_size<false>>
      calls_;

  // Output. The bytes from out_taken_ on were not taken by the kernel yet.
  std::string out_;
  size_t out_taken_ = 0;
  bool in_nghttp2_ = false;
  bool broken_ = false;  // a callback of nghttp2's has thrown, so nghttp2 has given up
  bool paused_ = false;  // Fill has left something for the next flush
  bool said_settings_ = false;
  bool greeted_ = false;  // the client's SETTINGS have come
  bool left_ = false;     // the client has sent GOAWAY
  bool ending_ = false;   // ends when the output was sent
  bool over_ = false;     // closed, and removed from the set

  TimePoint end_by_;                      // until greeted_, and while the socket lingers
  TimePoint head_by_ = TimePoint::max();  // the header block that has begun ends until then
  uint32_t timed_head_ = 0;               // which one that is (FieldLimiter::heads)
  PingWatch ping_;
  TimePoint next_check_{};
  TimePoint beat_at_;       // the next look for calls that have sent nothing for long
  TimePoint old_at_;        // then it is old enough; once that was announced, its calls end
  bool announced_ = false;  // the client knows that the connection will end
  TimePoint calls_due_ = TimePoint::max();  // the first of them
  // Client pings that came too soon, and the time of the last one that did not (OnClientPing).
  int ping_strikes_ = 0;
  uint32_t client_resets_ = 0;  // less those that time has forgiven
  TimePoint last_client_reset_{};
  uint32_t unconsumed_ = 0;  // received, and nghttp2 was not told yet that it is handled
  // Of what calls keep: so much is not given back to the connection's window.
  uint32_t withheld_ = 0;
  uint32_t room_taken_ = 0;
  std::vector<std::weak_ptr<Call>> await_room_;  // oldest first
  static constexpr int64_t kMostRefusalBytes = 256 << 10;
  std::string refusals_;  // whole frames that leave before nghttp2's next ones
  TimePoint last_client_ping_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_HTTP2_CONNECTION_H_
