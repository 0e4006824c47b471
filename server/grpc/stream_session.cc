#include "server/grpc/stream_session.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <cassert>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"
#include "server/grpc/status.h"

namespace crier {

void StreamSession::Open(std::string user_id, std::vector<v1::ClientFrame> frames) {
  streams_->shard().Post(
      [self = Ptr(this), user_id = std::move(user_id), frames = std::move(frames)]() mutable {
        self->OnOpen(std::move(user_id), std::move(frames));
      });
}

// Runs on: shard thread
void StreamSession::OnOpen(std::string user_id, std::vector<v1::ClientFrame> frames) {
  Shard& shard = streams_->shard();
  assert(shard.IsCurrent());
  streams_->Add(this);
  SessionOptions options;
  options.kind = TransportKind::kGrpc;
  options.encoding = &CanonicalEncoding();
  options.transport = this;
  options.adopt_user_id = user_id.empty();
  options.user_id = std::move(user_id);
  options.welcome = true;
  options.expect_hello = true;
  session_ = shard.OpenSession(std::move(options));
  const Arrival arrival = shard.ArrivalNow();
  for (v1::ClientFrame& frame : frames) {
    if (status_.has_value()) return;
    session_->Handle(std::move(frame), arrival);
  }
  if (!status_.has_value()) ReadNext();
}

// Runs on: a thread of gRPC. The buffer is this thread's until the next read starts.
void StreamSession::ReadDone(bool ok) {
  // The client has closed its sending side (and keeps receiving), or is gone (Cancelled says so).
  if (!ok) return;
  Shard& shard = streams_->shard();
  const Clock& clock = shard.engine().clock();
  const Arrival arrival{clock.Now(), clock.WallNanos()};
  const auto cost = static_cast<int64_t>(read_buffer_.Length() + kFrameCost);
  auto frame = std::make_unique<v1::ClientFrame>();
  {
    grpc::ProtoBufferReader reader(&read_buffer_);
    if (!reader.status().ok() || !frame->ParseFromZeroCopyStream(&reader)) frame.reset();
  }
  read_buffer_.Clear();
  // Posted before it is counted: once it is counted, OnFrame of an earlier frame may start the next
  // read, whose frame must not be posted before this one. Released here and acquired there, because
  // that read goes into this buffer.
  shard.Post([self = Ptr(this), frame = std::move(frame), arrival, cost]() mutable {
    self->OnFrame(std::move(frame), arrival, cost);
  });
  if (unhandled_.fetch_add(cost, std::memory_order_release) + cost <= kReadAhead) ReadNext();
}

// Runs on: shard thread
void StreamSession::OnFrame(std::unique_ptr<v1::ClientFrame> frame, const Arrival& arrival,
                            int64_t cost) {
  if (status_.has_value()) return;
  assert(streams_->shard().IsCurrent());
  if (frame != nullptr) {
    session_->Handle(std::move(*frame), arrival);
  } else {
    session_->Refuse(Outcome::kInvalidMessage,
                     "this is not a crier.v1.ClientFrame in protobuf's encoding");
  }
  const int64_t before = unhandled_.fetch_sub(cost, std::memory_order_acquire);
  if (before > kReadAhead && before - cost <= kReadAhead) ReadNext();
}

void StreamSession::ReadNext() {
  MutexLock lock(&finish_mutex_);
  if (!finished_) StartReading(&read_buffer_);
}

// Runs on: shard thread
void StreamSession::Wake() {
  assert(streams_->shard().IsCurrent());
  if (status_.has_value() || AwaitWrite()) return;
  WriteNext();
}

bool StreamSession::AwaitWrite() {
  WriteState state = WriteState::kInFlight;
  return write_state_.compare_exchange_strong(state, WriteState::kAwaited,
                                              std::memory_order_acq_rel) ||
         state != WriteState::kIdle;
}

void StreamSession::WriteNext() {
  absl::InlinedVector<grpc::Slice, 8> slices;
  size_t bytes = 0;
  for (const Slice& run : session_->Peek(kWriteBudget)) {
    slices.push_back(streams_->slices().Get(run));
    bytes += run.size;
  }
  if (slices.empty()) return;
  grpc::ByteBuffer buffer(slices.data(), slices.size());
  write_buffer_.Swap(&buffer);
  session_->Take(bytes);
  session_->metrics().writes.Add();
  session_->metrics().bytes_sent.Add(bytes);
  write_started_ = streams_->shard().clock().Now();
  write_state_.store(session_->has_pending() ? WriteState::kAwaited : WriteState::kInFlight,
                     std::memory_order_relaxed);
  streams_->gate().Close();
  StartWriting(&write_buffer_);
}

// Runs on: a thread of gRPC. The buffer is this thread's until the state says otherwise.
void StreamSession::WriteDone(bool ok) {
  if (!streams_->shard().IsCurrent()) streams_->gate().Pass();
  // Now, so that an idle stream keeps no part of a log in memory.
  write_buffer_.Clear();
  WriteState state = WriteState::kInFlight;
  if (ok &&
      write_state_.compare_exchange_strong(state, WriteState::kIdle, std::memory_order_acq_rel)) {
    return;
  }
  write_state_.store(WriteState::kCompleted, std::memory_order_release);
  streams_->shard().Post([self = Ptr(this), ok] { self->OnWriteCompleted(ok); });
}

// Runs on: shard thread
void StreamSession::OnWriteCompleted(bool ok) {
  assert(streams_->shard().IsCurrent());
  write_state_.store(WriteState::kIdle, std::memory_order_relaxed);
  if (!ok) {
    OnGone();
  } else if (status_.has_value()) {
    MaybeFinish();
  } else if (session_->blocked()) {
    session_->SetBlocked(false);
  } else {
    session_->WakeLater();
  }
}

// Runs on: shard thread
void StreamSession::Close(Outcome outcome, std::string_view detail) {
  assert(streams_->shard().IsCurrent());
  if (status_.has_value()) return;
  status_ = ToGrpcStatus(outcome, detail);
  closed_at_ = streams_->shard().clock().Now();
  AwaitWrite();
  // Not at once: the session may be the caller.
  streams_->shard().Post([self = Ptr(this), outcome] {
    self->EndSession(outcome);
    self->MaybeFinish();
  });
}

void StreamSession::Cancelled() {
  streams_->shard().Post([self = Ptr(this)] { self->OnGone(); });
}

// The client has left: by cancelling, which is how a gRPC client ends a stream, or with its
// connection; gRPC does not tell which.
void StreamSession::OnGone() {
  {
    // Then the call is over, and perhaps the server too.
    MutexLock lock(&finish_mutex_);
    if (finished_) return;
  }
  assert(streams_->shard().IsCurrent());
  EndSession(Outcome::kOk);
  if (!status_.has_value()) status_ = grpc::Status::CANCELLED;
  AwaitWrite();
  MaybeFinish();
}

void StreamSession::EndSession(Outcome outcome) {
  if (session_ != nullptr) std::exchange(session_, nullptr)->End(outcome);
}

void StreamSession::MaybeFinish() {
  if (!status_.has_value() || session_ != nullptr || AwaitWrite()) return;
  {
    MutexLock lock(&finish_mutex_);
    if (std::exchange(finished_, true)) return;
  }
  streams_->Remove(this);
  FinishCall(*status_);
}

void StreamSession::Tick(TimePoint now) {
  assert(streams_->shard().IsCurrent());
  if (status_.has_value()) {
    if (!cancel_asked_ && now - closed_at_ > streams_->close_timeout()) {
      cancel_asked_ = true;
      CancelCall();
    }
    return;
  }
  const WriteState state = write_state_.load(std::memory_order_acquire);
  if (state != WriteState::kInFlight && state != WriteState::kAwaited) return;
  if (now - write_started_ <= kBlockedAfter || session_->blocked()) return;
  if (AwaitWrite()) session_->SetBlocked(true);
}

}  // namespace crier
