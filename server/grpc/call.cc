#include "server/grpc/call.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <optional>
#include <utility>

#include "server/base/concat.h"
#include "server/grpc/http2_connection.h"
#include "server/grpc/method_table.h"
#include "server/grpc/timeout.h"
#include "server/service/caller.h"

namespace crier {
namespace {

// RFC 9113, section 6.5.2: the bytes that a field counts besides its name and value.
constexpr size_t kFieldOverhead = 32;

// Messages are protobuf here: "+json" and others are not served.
bool IsGrpc(std::string_view content_type) {
  for (const std::string_view type : {"application/grpc", "application/grpc+proto"}) {
    if (content_type == type ||
        (content_type.starts_with(type) && content_type[type.size()] == ';')) {
      return true;
    }
  }
  return false;
}

// A short string is within its own object.
size_t HeapBytesOf(const std::string& text) {
  static const size_t of_object = std::string().capacity();
  return text.capacity() == of_object ? 0 : text.capacity();
}

}  // namespace

std::string_view RequestHead::Find(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (field == name) return value;
  }
  return {};
}

Call::Call(Http2Connection* connection, int32_t id)
    : shard_(connection->shard()),
      connection_(connection),
      id_(id),
      begun_(shard_.clock().Now()),
      head_(std::make_unique<RequestHead>()) {
  connection_->memory().AddCalls(1);
}

Call::~Call() = default;

// --- The request.

bool Call::AddField(std::string_view name, std::string_view value, size_t max_bytes) {
  const size_t bytes = name.size() + value.size() + kFieldOverhead;
  // Trailers mean nothing to a server, but are as long as they are.
  if (head_ == nullptr) return (trailer_bytes_ += static_cast<uint32_t>(bytes)) <= max_bytes;
  head_->bytes += bytes;
  if (head_->bytes > max_bytes) return false;
  head_->fields.emplace_back(name, value);
  return true;
}

void Call::Begin(const MethodTable& methods) {
  const std::string_view path = head_->Find(":path");
  const std::string_view encoding = head_->Find("grpc-encoding");
  const MethodTable::Method* method = methods.Find(path);
  if (method != nullptr) method_ = method->metric;
  if (head_->Find(":method") != "POST") {
    Refuse(405, "this port serves gRPC, whose requests are POST");
  } else if (!IsGrpc(head_->Find("content-type"))) {
    Refuse(415, "this port serves gRPC, whose content-type is application/grpc");
  } else if (method == nullptr) {
    Finish({GrpcCode::kUnimplemented,
            Concat({"there is no method ", path, "; server reflection lists what there is"})});
  } else if (const auto known = MessageEncodingOf(encoding); !known.has_value()) {
    Finish({GrpcCode::kUnimplemented,
            Concat({"grpc-encoding ", encoding, " is not one of ", kAcceptedEncodings})});
  } else if (connection_->memory().full()) {
    RefuseMore();
  } else {
    reader_.set_encoding(*known);
    SetDeadline(head_->Find("grpc-timeout"));
    if (!finishing()) Guard([this, method] { handler_ = method->start(this); });
  }
  head_.reset();
}

void Call::SetDeadline(std::string_view timeout) {
  if (timeout.empty()) return;
  const auto parsed = ParseGrpcTimeout(timeout);
  if (!parsed.has_value()) {
    Finish({GrpcCode::kInternal,
            Concat({"grpc-timeout ", timeout, " is not at most 8 digits and one of H M S m u n"})});
    return;
  }
  due_ = connection_->PreciseNow() + *parsed;
  connection_->CheckCallAt(due_);
}

void Call::AwaitRequest() {
  const TimePoint by = connection_->PreciseNow() + connection_->request_timeout();
  if (due_ != TimePoint() && due_ <= by) return;
  callers_due_ = std::exchange(due_, by);
  awaits_request_ = true;
  connection_->CheckCallAt(by);
}

void Call::HasRequest() {
  if (!std::exchange(awaits_request_, false)) return;
  due_ = callers_due_;
  if (due_ != TimePoint()) connection_->CheckCallAt(due_);
}

size_t Call::OnData(std::string_view bytes) {
  if (handler_ == nullptr || finishing()) return bytes.size();
  const size_t used = keeps() ? 0 : HandOn(bytes);
  if (used == bytes.size()) return used;
  if (kept_ == nullptr) kept_ = std::make_unique<Kept>();
  kept_->bytes.erase(0, std::exchange(kept_->used, 0));
  kept_->bytes.append(bytes.substr(used));
  Account();
  if (connection_->memory().full()) RefuseMore();
  return used;
}

void Call::Keep(size_t bytes) {
  handler_keeps_ = static_cast<uint32_t>(bytes);
  Account();
}

void Call::RefuseMore() {
  if (connection_->memory().full()) connection_->Violated(GrpcViolation::kMemory);
  refused_more_ = true;
  Finish(ToGrpcStatus(Outcome::kOverloaded,
                      connection_->memory().full() ? "this connection keeps too much" : ""));
}

size_t Call::HandOn(std::string_view bytes) {
  const size_t max_message_bytes = connection_->max_message_bytes();
  const uint32_t before = accounted_in_;
  reader_.Feed(bytes);
  while (const auto message = reader_.Next(max_message_bytes)) {
    Guard([this, &message] { handler_->OnMessage(*message); });
    if (handler_ == nullptr || finishing()) return bytes.size();
    if (reading_paused_) return bytes.size() - reader_.TakeRest().size();
  }
  Account();
  if (reader_.error() == nullptr) {
    const bool full = connection_->memory().full() || shard_.memory().full();
    if (full && accounted_in_ > before) RefuseMore();
    return bytes.size();
  }
  Finish(*reader_.error());
  const bool too_big = status_->code == static_cast<int>(GrpcCode::kResourceExhausted);
  EndHandler(too_big ? Outcome::kMessageTooBig : Outcome::kProtocolError);
  return bytes.size();
}

void Call::ResumeReading() {
  reading_paused_ = false;
  if (std::exchange(hand_on_posted_, true)) return;
  shard_.Post([call = shared_from_this()] { call->HandOnKept(); });
}

void Call::HandOnKept() {
  hand_on_posted_ = false;
  if (reading_paused_ || over() || finishing() || handler_ == nullptr) return;
  if (kept_ != nullptr) {
    // Taken out: the call may come to its end meanwhile.
    std::unique_ptr<Kept> kept = std::move(kept_);
    const size_t used = HandOn(std::string_view(kept->bytes).substr(kept->used));
    kept->used += used;
    connection_->Consumed(id_, used);
    if (finishing()) return connection_->Released(kept->bytes.size() - kept->used);
    if (kept->used < kept->bytes.size()) kept_ = std::move(kept);
    Account();
  }
  if (!keeps() && std::exchange(half_close_kept_, false)) HandOnHalfClose();
}

void Call::OnHalfClose() {
  if (std::exchange(half_closed_, true) || handler_ == nullptr || finishing()) return;
  if (keeps()) {
    half_close_kept_ = true;
  } else {
    HandOnHalfClose();
  }
}

void Call::HandOnHalfClose() {
  if (reader_.in_message()) {
    Finish({GrpcCode::kInternal, "the client's last message was cut off"});
    EndHandler(Outcome::kProtocolError);
    return;
  }
  Guard([this] { handler_->OnHalfClose(); });
}

// --- The end.

void Call::OnShutdown() {
  if (finishing()) return;
  if (handler_ != nullptr) {
    Guard([this] { handler_->OnShutdown(); });
  } else {
    Finish(ToGrpcStatus(Outcome::kShutdown));
  }
}

void Call::OnDrain() {
  if (handler_ == nullptr || finishing()) return;
  Guard([this] { handler_->OnDrain(); });
}

void Call::OnBeat() {
  if (std::exchange(sent_since_beat_, false) || handler_ == nullptr || finishing()) return;
  if (connection_->CanSend(id_)) Guard([this] { handler_->OnIdle(); });
}

void Call::OnDue() {
  due_ = {};
  const bool unread = answer_ != nullptr && answer_->make && answer_->due_is_its;
  if (finishing() || unread) {
    if (unread || queued() > 0) connection_->Violated(GrpcViolation::kUnread);
    Reset();
    return;
  }
  if (std::exchange(awaits_request_, false)) {
    shard_.metrics().of(TransportKind::kGrpc).handshakes_timed_out.Add();
    Finish(ToGrpcStatus(Outcome::kIdleTimeout, "the request was not whole in time"));
    return EndHandler(Outcome::kIdleTimeout);
  }
  Finish({GrpcCode::kDeadlineExceeded, "the call's own deadline has passed"});
  EndHandler(Outcome::kOk);
}

void Call::OnRefused(GrpcStatus status) {
  if (!finishing()) status_ = std::make_unique<GrpcStatus>(std::move(status));
}

void Call::Count() {
  ShardMetrics::PerGrpcMethod& metrics =
      shard_.metrics().grpc_methods[static_cast<size_t>(method_)];
  // Without a status of ours the client has cancelled the call, or has gone.
  const int code = finishing() ? status_->code : static_cast<int>(GrpcCode::kCancelled);
  metrics.handled[std::min(static_cast<size_t>(code), kGrpcCodeCount - 1)].Add();
  metrics.handling_seconds.Observe(
      std::chrono::duration<double>(shard_.clock().Now() - begun_).count());
}

void Call::OnOver(Outcome outcome) {
  Count();
  DropKept();
  ReleaseRoom();
  std::string().swap(out_);
  out_taken_ = 0;
  AccountAs(0, 0);
  connection_->memory().AddCalls(-1);
  connection_ = nullptr;
  EndHandler(refused_more_ && outcome == Outcome::kOk ? Outcome::kOverloaded : outcome);
}

void Call::DropKept() {
  if (kept_ == nullptr) return;
  connection_->Released(kept_->bytes.size() - kept_->used);
  kept_.reset();
}

void Call::Account() {
  if (over()) return;
  size_t in = reader_.held_bytes() + handler_keeps_;
  if (kept_ != nullptr) in += kept_->bytes.capacity();
  size_t out = HeapBytesOf(out_);
  if (answer_ != nullptr && answer_->message != nullptr) out += answer_->message->size();
  AccountAs(in, out);
}

void Call::AccountAs(size_t in, size_t out) {
  const int64_t more_in = static_cast<int64_t>(in) - accounted_in_;
  const int64_t more_out = static_cast<int64_t>(out) - accounted_out_;
  if (more_in == 0 && more_out == 0) return;
  if (more_in != 0) shard_.memory().Add(MemoryKind::kInput, more_in);
  if (more_out != 0) shard_.memory().Add(MemoryKind::kOutput, more_out);
  connection_->memory().AddOfCalls(more_in + more_out);
  accounted_in_ = static_cast<uint32_t>(in);
  accounted_out_ = static_cast<uint32_t>(out);
}

void Call::EndHandler(Outcome outcome) {
  if (handler_ == nullptr) return;
  const std::unique_ptr<CallHandler> last = std::move(handler_);
  NoThrow(&shard_.metrics().handler_exceptions, "a gRPC call's end",
          [&last, outcome] { last->OnOver(outcome); });
}

void Call::Fail() noexcept {
  if (!NoThrow(&shard_.metrics().handler_exceptions, "a gRPC call's end",
               [this] { Finish(ToGrpcStatus(Outcome::kInternal)); })) {
    Reset();
  }
  EndHandler(Outcome::kInternal);
}

std::string Call::certificate_user() const { return connection_->certificate_user(); }

bool Call::TakeRate() {
  const uint32_t most = connection_->calls_per_second();
  if (most == 0 || connection_->TakeCall()) return true;
  Finish(ToGrpcStatus(ErrorOf(TooManyCalls(most))));
  return false;
}

std::string Call::PeerAddress() const { return over() ? "" : connection_->PeerAddress(); }

}  // namespace crier
