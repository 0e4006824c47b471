#include "server/grpc/stream_session.h"

#include <cassert>
#include <optional>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {

StreamSession::~StreamSession() {
  NoThrow(&call_.shard().metrics().handler_exceptions, "a gRPC call's end",
          [this] { EndSession(Outcome::kInternal); });
}

void StreamSession::Open(Caller caller, std::vector<v1::ClientFrame> frames) {
  Shard& shard = call_.shard();
  assert(shard.IsCurrent() && session_ == nullptr);
  SessionOptions options;
  options.kind = TransportKind::kGrpc;
  options.encoding = &CanonicalEncoding();
  options.transport = this;
  options.adopt_user_id = caller.user_id.empty();
  options.user_id = std::move(caller.user_id);
  options.grant = std::move(caller.grant);
  options.welcome = true;
  options.expect_hello = true;
  session_ = shard.OpenSession(std::move(options));
  const Arrival arrival = shard.ArrivalNow();
  for (v1::ClientFrame& frame : frames) {
    if (closed_) return;
    // One request, which may ask for as many topics as a session may follow: no limit on rates is
    // for it.
    session_->Handle(std::move(frame), arrival, std::nullopt);
  }
}

void StreamSession::OnMessage(std::string_view message) {
  if (closed_ || session_ == nullptr) return;
  const Arrival arrival = call_.shard().ArrivalNow();
  v1::ClientFrame frame;
  if (frame.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    session_->Handle(std::move(frame), arrival, message.size());
  } else {
    session_->Refuse(Outcome::kInvalidMessage,
                     "this is not a crier.v1.ClientFrame in protobuf's encoding", message.size());
  }
}

void StreamSession::OnHalfClose() {
  if (session_ != nullptr) session_->SendsNoMore();
}

void StreamSession::OnDrain() {
  if (closed_ || session_ == nullptr) return;
  Shard& shard = call_.shard();
  v1::Event event;
  shard.sessions().SetSlot(session_->id(), event.mutable_drain()->mutable_reconnect_after());
  session_->Deliver(event, shard.clock().Now());
}

std::span<const Slice> StreamSession::Peek(size_t budget) {
  if (session_ == nullptr) return {};
  return session_->Peek(budget);
}

void StreamSession::Take(size_t bytes) {
  session_->Take(bytes);
  session_->metrics().writes.Add();
  session_->metrics().bytes_sent.Add(bytes);
  // If there is more, it is pulled, or Wake finds that the client takes no more.
  session_->WakeLater();
}

void StreamSession::Wake() {
  assert(call_.shard().IsCurrent());
  call_.Guard([this] {
    // What made it ready may have been pulled since.
    if (!session_->has_pending()) return;
    if (!call_.CanSend()) session_->SetBlocked(true);
    call_.Ready(/*in_turn=*/true);
  });
}

void StreamSession::OnCanSend() {
  if (session_ != nullptr) session_->SetBlocked(false);
}

void StreamSession::Close(Outcome outcome, std::string_view detail) {
  if (std::exchange(closed_, true)) return;
  const CloseAdvice advice = call_.shard().sessions().AdviceOf(session_->id(), outcome);
  GrpcStatus status;
  if (outcome != Outcome::kOk) {
    status = ToGrpcStatus(ErrorOf(outcome, detail, advice.advice, advice.retry_after));
  }
  // Not at once: the session may be the caller.
  call_.shard().Post(
      [call = call_.shared_from_this(), this, outcome, status = std::move(status)]() mutable {
        // In that case this object is destroyed, or will be soon.
        if (call->over() || call->finishing()) return;
        call->Guard([&] {
          EndSession(outcome);
          call->Finish(std::move(status));
        });
      });
}

void StreamSession::EndSession(Outcome outcome) {
  if (session_ != nullptr) std::exchange(session_, nullptr)->End(outcome);
}

}  // namespace crier
