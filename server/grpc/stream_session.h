// A gRPC stream as the engine's transport: what Connect and Subscribe have in common.
//
// Threads
//   gRPC calls the reactor (ReadDone, WriteDone, Cancelled, Done) on threads of its own, some of
//   them at the same time. The engine's session belongs to one shard, and so does everything here
//   that is not said to be otherwise. A reactor call does what needs no state (it parses the frame)
//   and posts the rest to the shard. Writes and Finish are started by the shard alone, reads by
//   whoever makes room for one.
//
// Flow
//   One read is in flight, and frames that were read wait for the shard up to kReadAhead: so that a
//   busy shard handles a run of them at once and sends what they bring as one write each, and that
//   a client that sends faster than the shard works is held back by HTTP/2's flow control. One
//   write is in flight: when it completes, everything that came meanwhile goes out as the next one.
//   Nothing is queued here; a stream that takes nothing is a cursor that lags.
//
// Life
//   A stream is counted by reference: gRPC holds one reference until Done, each task posted to the
//   shard one until it ran (or was dropped with its shard). gRPC calls Done only after Finish, so
//   until the shard has called Finish, calls into gRPC are safe, and after it nothing is started.
//   The engine's session ends (Session::End) exactly once, in a task of its own, before Finish.
#ifndef CRIER_SERVER_GRPC_STREAM_SESSION_H_
#define CRIER_SERVER_GRPC_STREAM_SESSION_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/outcome.h"
#include "server/engine/bus.h"
#include "server/engine/session.h"
#include "server/engine/transport.h"
#include "server/grpc/shard_streams.h"

namespace crier {

class StreamSession : public Transport {
 public:
  // What one write carries at most, so long as it is not a single event: also what a stream that
  // takes nothing keeps in memory. More made no stream faster.
  static constexpr size_t kWriteBudget = 16 << 10;
  // A write that takes longer than this waits for the peer: the session is then lagging.
  static constexpr std::chrono::milliseconds kBlockedAfter{100};
  // Reading goes on while frames of less than so many bytes in all wait for the shard; each counts
  // its own size and kFrameCost.
  static constexpr int64_t kReadAhead = 32 << 10;
  static constexpr size_t kFrameCost = 256;

  StreamSession(const StreamSession&) = delete;
  StreamSession& operator=(const StreamSession&) = delete;

  // Transport.
  void Wake() override;
  void Close(Outcome outcome, std::string_view detail) override;

  // Runs on: shard thread, every kTickInterval.
  void Tick(TimePoint now);

 protected:
  // `streams` outlives the call (until Done).
  explicit StreamSession(ShardStreams* streams) : streams_(streams) {}
  ~StreamSession() override = default;

  // Begins the session on its shard. `frames` are handled as if the client had sent them first.
  // Call it once, when the reactor is whole. `user_id`: empty: the client may name it later.
  void Open(std::string user_id, std::vector<v1::ClientFrame> frames);

  // --- The reactor's calls. Run on: any thread of gRPC.
  void ReadDone(bool ok);
  void WriteDone(bool ok);
  void Cancelled();
  void Done() { Unref(); }

 private:
  // The last two are told apart so that only a write that somebody waits for costs a task on the
  // shard, and so that the ticker knows a slow shard from a slow peer.
  enum class WriteState : int {
    kIdle,
    kInFlight,   // nobody waits for its end: WriteDone goes to kIdle
    kAwaited,    // the shard waits for its end: WriteDone goes to kCompleted and posts
    kCompleted,  // a task is on its way that goes to kIdle
  };
  using Ptr = boost::intrusive_ptr<StreamSession>;

  // --- What the kind of call provides; started by the shard.
  virtual void StartReading(grpc::ByteBuffer* buffer) = 0;
  virtual void StartWriting(const grpc::ByteBuffer* buffer) = 0;
  virtual void FinishCall(const grpc::Status& status) = 0;
  virtual void CancelCall() = 0;

  // Starts the next read, unless the call is finished.
  void ReadNext() ABSL_LOCKS_EXCLUDED(finish_mutex_);

  // --- Runs on: shard thread.
  void OnOpen(std::string user_id, std::vector<v1::ClientFrame> frames);
  // `frame`: null where what came is no frame. `cost`: what it counts of kReadAhead.
  void OnFrame(std::unique_ptr<v1::ClientFrame> frame, const Arrival& arrival, int64_t cost);
  void OnWriteCompleted(bool ok);
  void OnGone();
  void WriteNext();
  // Asks for a task when the write in flight ends. False: none is in flight.
  bool AwaitWrite();
  void EndSession(Outcome outcome);
  // Finishes the call where it has a status and no write is in flight.
  void MaybeFinish();

  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  friend void intrusive_ptr_add_ref(StreamSession* stream) { stream->Ref(); }
  friend void intrusive_ptr_release(StreamSession* stream) { stream->Unref(); }

  std::atomic<int> refs_{1};
  std::atomic<WriteState> write_state_{WriteState::kIdle};

  // The shard's, but for shard() of it.
  ShardStreams* const streams_;
  Session* session_ = nullptr;
  TimePoint write_started_{};
  TimePoint closed_at_{};
  std::optional<grpc::Status> status_;  // set: closing, and nothing new is sent
  bool cancel_asked_ = false;

  // Finish is the last that is started. Only finishing and starting a read may meet.
  Mutex finish_mutex_;
  bool finished_ ABSL_GUARDED_BY(finish_mutex_) = false;  // set by the shard

  // gRPC's while the read or write is in flight, else as said in ReadDone and WriteDone.
  grpc::ByteBuffer read_buffer_;
  grpc::ByteBuffer write_buffer_;
  // Of the frames that wait for the shard. ReadDone starts the next read where adding its frame
  // leaves this within kReadAhead; otherwise OnFrame does, where it brings this back within. Below
  // zero for a moment where the shard is through with a frame before it is counted.
  std::atomic<int64_t> unhandled_{0};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_STREAM_SESSION_H_
