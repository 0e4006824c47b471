// One HTTP/2 connection of a gRPC client: the socket, and nghttp2 as the protocol.
//
// Flow. Everything happens on the connection's shard. What the socket brings goes to nghttp2, which
// calls back (http2_frames.cc) with the fields and data of streams, and those go to their calls.
// What has to be sent is pulled: nghttp2 asks a call for data only when the peer's flow control
// lets it through, and is itself only asked for frames when the socket takes them. So what a slow
// client is owed waits in the log, and here are at most kBytesPerFlush of it.
//
// Batching. A call that has something to send marks its connection (Proceed); at the end of the
// shard's turns each marked connection is sent once, with what all of its calls have
// (GrpcConnections::FlushMarked).
//
// Life. The client speaks first. The connection ends when the peer has closed it, when the protocol
// is broken, when the peer answers no ping, or when it stops (GoAway) and its calls are through.
// Then each call is over. Where the last word is ours, it closes once the peer has (Linger); then
// it removes itself.
#ifndef CRIER_SERVER_GRPC_HTTP2_CONNECTION_H_
#define CRIER_SERVER_GRPC_HTTP2_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/grpc/call.h"
#include "server/grpc/grpc_connections.h"
#include "server/net/acceptor.h"
#include "server/transport/ping_watch.h"
#include "server/transport/poller.h"
#include "server/transport/send_batch.h"

namespace crier {

// Runs on: shard thread, all of it.
class Http2Connection final : public PolledConnection,
                              public MarkHook,
                              private Poller::Target,
                              private SendBatch::Sender {
 public:
  // With one flush at most so much leaves, and is at most kept here of what a client does not take.
  static constexpr size_t kBytesPerFlush = 64 << 10;

  // Makes a connection and puts it into `set`, which outlives it.
  static void Start(GrpcConnections* set, AcceptedConnection accepted);

  Http2Connection(GrpcConnections* set, AcceptedConnection accepted);
  ~Http2Connection() override;

  // --- PolledConnection.
  TimePoint CheckDeadlines(TimePoint now) override;
  void GoAway() override;
  void HardClose() override { Close(Outcome::kConnectionLost); }

  // --- For GrpcConnections.

  // Sends what there is, or adds it to the batch.
  void FlushInto(SendBatch* batch);

  // --- For calls.

  Shard& shard() const { return set_->shard(); }
  std::chrono::milliseconds close_timeout() const { return set_->options().close_timeout; }
  // The call has something to send. `in_turn`: the shard's turns are under way, and their end sends
  // it.
  void Proceed(Call* call, bool in_turn = false);
  // The peer's flow control and the kernel take data of this stream now.
  bool CanSend(int32_t stream) const;
  // Ends the stream with RST_STREAM.
  void Reset(int32_t stream);
  // The call is due then (Call::due).
  void CheckCallAt(TimePoint at);

 private:
  friend struct Http2Frames;  // nghttp2's callbacks

  // --- Poller::Target.
  void OnReady(uint32_t events) override;
  // --- SendBatch::Sender.
  void OnSent(ssize_t result) override;

  void Read();
  void SayThatThisIsHttp2(std::string_view received);
  // Has nghttp2 write frames into out_.
  void Fill();
  void ForgetOut();
  void SendNow();
  void Sent(ssize_t result);
  void Listen(uint32_t events);
  // Ends the connection where nothing is left to come and to go.
  void EndIfThrough();
  // Says that no more will come, and closes when the peer has too, or has had kLingerTime for it:
  // what lies unread when a socket is closed turns the goodbye into a reset, which may take our
  // last words from the peer before it has read them.
  void Linger(Outcome outcome);
  // Throws away what is readable; true: nothing more will come.
  bool Discard();
  void Close(Outcome outcome);
  void DropCalls(Outcome outcome);
  // The call is over.
  static void Drop(Call* call, Outcome outcome);

  // --- http2_frames.cc
  void MakeSession();
  void SubmitSettings();
  void SubmitGoAway();
  void SubmitHead(Call* call);
  void SubmitTrailers(Call* call);
  void OnGreeted();
  void OnClientPing();

  GrpcConnections* const set_;
  UniqueFd fd_;
  ConnectionTable::Place place_;
  nghttp2_session* session_ = nullptr;
  boost::intrusive::list<Call, boost::intrusive::base_hook<CallHook>,
                         boost::intrusive::constant_time_size<false>>
      calls_;

  // What the kernel has not taken yet, from out_taken_ on.
  std::string out_;
  size_t out_taken_ = 0;
  uint32_t interest_ = 0;  // of EPOLLIN and EPOLLOUT
  bool in_nghttp2_ = false;
  bool batched_ = false;    // out_ is in the batch
  bool blocked_ = false;    // the kernel takes nothing
  bool paused_ = false;     // Fill has left something for the next flush
  bool greeted_ = false;    // the client's SETTINGS have come
  bool left_ = false;       // the client has said that it goes (GOAWAY)
  bool ending_ = false;     // ends once what there is to say was said
  bool lingering_ = false;  // what comes is thrown away

  TimePoint end_by_;  // until greeted_, and while lingering_
  TimePoint last_received_;
  PingWatch ping_;
  TimePoint next_check_{};
  TimePoint calls_due_ = TimePoint::max();  // the first of them
  // Pings of the client that came too soon, and the last one that did not (OnClientPing).
  int ping_strikes_ = 0;
  TimePoint last_client_ping_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_HTTP2_CONNECTION_H_
