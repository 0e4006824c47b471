// FrameStream: reading, and the end. Writing is in frame_stream_write.cc.
#include "server/websocket/frame_stream.h"

#include <utility>

#include "server/base/concat.h"
#include "server/websocket/close_payload.h"

namespace crier {
namespace {

std::string_view ProblemOf(ClosePayload payload) {
  switch (payload) {
    case ClosePayload::kBadLength:
      return "a close frame with one byte; its code has two";
    case ClosePayload::kBadCode:
      return "a close code that is not for the wire";
    default:
      return "the reason in a close frame is not UTF-8";
  }
}

}  // namespace

FrameStream::FrameStream(std::unique_ptr<Socket> socket, Owner* owner, FrameReaderShared* shared,
                         FrameReader::Options options)
    : socket_(std::move(socket)), owner_(owner), reader_(shared, options), shared_(*shared) {
  socket_->set_owner(this);
  socket_->PauseReading();
}

// --- Reading.

void FrameStream::Keep(std::string_view bytes) {
  if (bytes.empty()) return;
  kept_.reset(new Kept{.bytes = std::string(bytes), .share{shared_.memory, MemoryKind::kInput}});
  kept_->share.Set(sizeof(Kept) + bytes.size());
}

void FrameStream::PauseReading() {
  paused_ = true;
  if (!reads()) socket_->PauseReading();
}

void FrameStream::ReadOn() {
  paused_ = false;
  ReadKept();
}

void FrameStream::ReadKept() {
  // What is handled now goes on by itself, and then to what was kept.
  if (handling_) return socket_->ResumeReading();
  while (kept_ != nullptr && reads() && phase_ != Phase::kOver) {
    const std::unique_ptr<Kept> kept = std::move(kept_);
    HandleBytes(kept->bytes);
  }
  if (reads() && phase_ != Phase::kOver) socket_->ResumeReading();
}

void FrameStream::OnBytes(std::span<char> bytes) {
  HandleBytes(bytes);
  if (kept_ != nullptr && reads()) ReadKept();
}

// Frames that came together are handled together, so the resulting events leave in one flush.
void FrameStream::HandleBytes(std::span<char> bytes) {
  // Runs on: shard thread
  handling_ = true;
  while (!bytes.empty() && (phase_ == Phase::kOpen || phase_ == Phase::kClosing)) {
    if (!reads()) {
      Keep({bytes.data(), bytes.size()});
      break;
    }
    const Received received = reader_.Read(&bytes);
    if (received.kind == ReceivedKind::kNothing) break;
    Handle(received);
  }
  reader_.DropReturned();
  if (backlog_ != nullptr) Flush();
  handling_ = false;
}

void FrameStream::Handle(const Received& received) {
  switch (received.kind) {
    case ReceivedKind::kText:
    case ReceivedKind::kBinary:
      if (phase_ == Phase::kOpen) {
        owner_->OnMessage(received.payload, received.kind == ReceivedKind::kBinary);
      }
      break;
    case ReceivedKind::kPing:
      if (owner_->OnPing()) QueuePong(received.payload);
      break;
    case ReceivedKind::kClose:
      OnPeerClose(received.payload);
      break;
    case ReceivedKind::kError:
      Fail(received);
      break;
    case ReceivedKind::kPong:
    case ReceivedKind::kNothing:
      break;
  }
}

void FrameStream::OnEnd(int) {
  if (phase_ == Phase::kOpen) owner_->OnEnding(Outcome::kConnectionLost);
  Over();
}

// --- The end.

std::string FrameStream::Owner::CloseReason(Outcome outcome, std::string_view problem) const {
  return Concat({Info(outcome).name, ": ", problem});
}

void FrameStream::Close(uint16_t code, std::string_view reason) {
  if (phase_ != Phase::kOpen) return;
  phase_ = Phase::kClosing;
  QueueClose(MakeClosePayload(code, reason));
  reader_.SkipMessages();
  Flush();
  ReadKept();
}

void FrameStream::OnPeerClose(std::string_view payload) {
  const ClosePayload checked = CheckClosePayload(payload);
  if (checked != ClosePayload::kValid) {
    const Outcome outcome =
        checked == ClosePayload::kBadReason ? Outcome::kInvalidUtf8 : Outcome::kProtocolError;
    return Fail({.kind = ReceivedKind::kError,
                 .close_code = Info(outcome).close_code,
                 .outcome = outcome,
                 .problem = ProblemOf(checked)});
  }
  peer_closed_ = true;
  const bool first = phase_ == Phase::kOpen;
  phase_ = Phase::kLeaving;
  // The answer repeats the code (section 5.5.1).
  if (first) {
    QueueClose(payload.substr(0, 2));
    owner_->OnEnding(Outcome::kOk);
    Flush();
  }
  LeaveIfSent();
}

void FrameStream::Fail(const Received& error) {
  const bool first = phase_ == Phase::kOpen;
  phase_ = Phase::kLeaving;
  if (first) {
    const std::string reason = owner_->CloseReason(error.outcome, error.problem);
    QueueClose(MakeClosePayload(error.close_code, reason));
    owner_->OnEnding(error.outcome);
    Flush();
  }
  LeaveIfSent();
}

void FrameStream::LeaveIfSent() {
  if (phase_ != Phase::kLeaving) return;
  if (close_frame_ == CloseFrame::kQueued && !socket_->broken()) return;
  if ((peer_closed_ && !socket_->HasUnsent()) || socket_->Linger()) Over();
}

void FrameStream::HardClose() { Over(); }

void FrameStream::Over() {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  socket_->Close();
  kept_.reset();
  backlog_.reset();
  owner_->OnOver();
}

void FrameStream::Abandon(std::optional<uint16_t> code) {
  // Only at a frame's boundary, and only once.
  const bool at_boundary = backlog_ == nullptr || backlog_->rest.empty();
  if (code && CanWrite() && close_frame_ == CloseFrame::kNone && at_boundary) {
    std::string frame;
    AppendFrame(FrameStart::kClose, MakeClosePayload(*code, {}), &frame);
    phase_ = Phase::kOver;  // whatever becomes of it, nobody is told
    if (socket_->Send(frame) == frame.size()) close_frame_ = CloseFrame::kSent;
  }
  phase_ = Phase::kOver;
  socket_->Close();
}

}  // namespace crier
