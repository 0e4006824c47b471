#include "server/grpc/stream_session.h"

#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {

void StreamSession::Open(std::string user_id, std::vector<v1::ClientFrame> frames) {
  Shard& shard = call_.shard();
  assert(shard.IsCurrent() && session_ == nullptr);
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
    if (closed_) return;
    session_->Handle(std::move(frame), arrival);
  }
}

void StreamSession::OnMessage(std::string_view message) {
  if (closed_ || session_ == nullptr) return;
  const Arrival arrival = call_.shard().ArrivalNow();
  v1::ClientFrame frame;
  if (frame.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    session_->Handle(std::move(frame), arrival);
  } else {
    session_->Refuse(Outcome::kInvalidMessage,
                     "this is not a crier.v1.ClientFrame in protobuf's encoding");
  }
}

std::span<const Slice> StreamSession::Peek(size_t budget) {
  if (session_ == nullptr) return {};
  return session_->Peek(budget);
}

void StreamSession::Take(size_t bytes) {
  session_->Take(bytes);
  session_->metrics().writes.Add();
  session_->metrics().bytes_sent.Add(bytes);
  // Where there is more: it is pulled, or Wake finds out that the client takes no more.
  session_->WakeLater();
}

void StreamSession::Wake() {
  assert(call_.shard().IsCurrent());
  // What made it ready may have been pulled since.
  if (!session_->has_pending()) return;
  if (!call_.CanSend()) session_->SetBlocked(true);
  call_.Ready(/*in_turn=*/true);
}

void StreamSession::OnCanSend() {
  if (session_ != nullptr) session_->SetBlocked(false);
}

void StreamSession::Close(Outcome outcome, std::string_view detail) {
  if (std::exchange(closed_, true)) return;
  // Not at once: the session may be the caller.
  call_.shard().Post([call = call_.shared_from_this(), this, outcome,
                      status = ToGrpcStatus(outcome, detail)]() mutable {
    // Then this object is gone, or about to go.
    if (call->over() || call->finishing()) return;
    EndSession(outcome);
    call->Finish(std::move(status));
  });
}

void StreamSession::EndSession(Outcome outcome) {
  if (session_ != nullptr) std::exchange(session_, nullptr)->End(outcome);
}

}  // namespace crier
