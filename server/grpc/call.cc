#include "server/grpc/call.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <chrono>
#include <optional>

#include "server/base/concat.h"
#include "server/grpc/http2_connection.h"
#include "server/grpc/method_table.h"

namespace crier {
namespace {

// RFC 9113, section 6.5.2: what a field counts beside its name and value.
constexpr size_t kFieldOverhead = 32;

bool IsGrpc(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  return content_type.starts_with(kType) &&
         (content_type.size() == kType.size() || content_type[kType.size()] == '+' ||
          content_type[kType.size()] == ';');
}

// The value of grpc-timeout: at most eight digits and a unit.
std::optional<std::chrono::nanoseconds> ParseTimeout(std::string_view text) {
  constexpr size_t kMostDigits = 8;
  constexpr uint32_t kMostHours = 24 * 365 * 100;  // nanoseconds have room for 292 years
  if (text.size() < 2 || text.size() > kMostDigits + 1) return std::nullopt;
  const char* const unit = text.data() + text.size() - 1;
  uint32_t count = 0;
  if (const auto parsed = std::from_chars(text.data(), unit, count); parsed.ptr != unit) {
    return std::nullopt;
  }
  switch (text.back()) {
    case 'H':
      return std::chrono::hours(std::min(count, kMostHours));
    case 'M':
      return std::chrono::minutes(count);
    case 'S':
      return std::chrono::seconds(count);
    case 'm':
      return std::chrono::milliseconds(count);
    case 'u':
      return std::chrono::microseconds(count);
    case 'n':
      return std::chrono::nanoseconds(count);
    default:
      return std::nullopt;
  }
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
      head_(std::make_unique<RequestHead>()) {}

// --- The request.

void Call::AddField(std::string_view name, std::string_view value, size_t max_bytes) {
  if (head_ == nullptr) return;  // trailers, which mean nothing to a server
  head_->bytes += name.size() + value.size() + kFieldOverhead;
  if (head_->bytes <= max_bytes) head_->fields.emplace_back(name, value);
}

void Call::Begin(const MethodTable& methods, size_t max_metadata_bytes) {
  const std::string_view path = head_->Find(":path");
  const std::string_view encoding = head_->Find("grpc-encoding");
  const MethodTable::Start* start = methods.Find(path);
  if (head_->Find(":method") != "POST") {
    Refuse(405, "this port serves gRPC, whose requests are POST");
  } else if (head_->bytes > max_metadata_bytes) {
    Finish(ToGrpcStatus(Outcome::kMessageTooBig,
                        Concat({"metadata of ", std::to_string(head_->bytes),
                                " bytes; the limit is ", std::to_string(max_metadata_bytes)})));
  } else if (!IsGrpc(head_->Find("content-type"))) {
    Refuse(415, "this port serves gRPC, whose content-type is application/grpc");
  } else if (start == nullptr) {
    Finish({GrpcCode::kUnimplemented,
            Concat({"there is no method ", path, "; server reflection lists what there is"})});
  } else if (const auto known = MessageEncodingOf(encoding); !known.has_value()) {
    Finish({GrpcCode::kUnimplemented,
            Concat({"grpc-encoding ", encoding, " is not one of ", kAcceptedEncodings})});
  } else {
    reader_.set_encoding(*known);
    SetDeadline(head_->Find("grpc-timeout"));
    if (!finishing()) handler_ = (*start)(this);
  }
  head_.reset();
}

void Call::SetDeadline(std::string_view timeout) {
  if (timeout.empty()) return;
  const auto parsed = ParseTimeout(timeout);
  if (!parsed.has_value()) {
    Finish({GrpcCode::kInternal,
            Concat({"grpc-timeout ", timeout, " is not at most 8 digits and one of H M S m u n"})});
    return;
  }
  due_ = shard_.clock().Now() + *parsed;
  connection_->CheckCallAt(due_);
}

void Call::OnData(std::string_view bytes, size_t max_message_bytes) {
  if (handler_ == nullptr || finishing()) return;
  reader_.Feed(bytes);
  while (const auto message = reader_.Next(max_message_bytes)) {
    handler_->OnMessage(*message);
    if (finishing()) return;
  }
  if (reader_.error() == nullptr) return;
  Finish(*reader_.error());
  const bool too_big = status_->code == static_cast<int>(GrpcCode::kResourceExhausted);
  EndHandler(too_big ? Outcome::kMessageTooBig : Outcome::kProtocolError);
}

void Call::OnHalfClose() {
  if (std::exchange(half_closed_, true) || handler_ == nullptr || finishing()) return;
  if (reader_.in_message()) {
    Finish({GrpcCode::kInternal, "the client's last message was cut off"});
    EndHandler(Outcome::kProtocolError);
    return;
  }
  handler_->OnHalfClose();
}

// --- The response.

void Call::Send(std::string_view message) {
  if (over() || finishing()) return;
  if (queued() + message.size() > kMostQueuedBytes) {
    Finish({GrpcCode::kResourceExhausted, "the client does not take what it asked for"});
    return;
  }
  AppendMessagePrefix(message.size(), &out_);
  out_.append(message);
  connection_->Proceed(this);
}

void Call::Ready(bool in_turn) {
  if (over() || finishing()) return;
  connection_->Proceed(this, in_turn);
}

bool Call::CanSend() {
  if (over()) return false;
  if (connection_->CanSend(id_)) return true;
  waits_to_send_ = true;
  return false;
}

void Call::Finish(GrpcStatus status) {
  if (over() || finishing()) return;
  status_ = std::make_unique<GrpcStatus>(std::move(status));
  due_ = shard_.clock().Now() + connection_->close_timeout();
  connection_->CheckCallAt(due_);
  connection_->Proceed(this);
}

void Call::Refuse(int http_status, std::string message) {
  http_status_ = static_cast<int16_t>(http_status);
  Finish({GrpcCode::kInternal, std::move(message)});
}

void Call::Reset() {
  if (!over()) connection_->Reset(id_);
}

size_t Call::Offer(size_t most) {
  if (queued() > 0) return std::min(most, queued());
  if (handler_ == nullptr || finishing()) return 0;
  if (std::exchange(waits_to_send_, false)) handler_->OnCanSend();
  peeked_ = handler_->Peek(kMessageBudget);
  peeked_bytes_ = 0;
  for (const Slice& slice : peeked_) peeked_bytes_ += slice.size;
  return peeked_bytes_ == 0 ? 0 : std::min(most, kMessagePrefixBytes + peeked_bytes_);
}

void Call::AppendOffered(size_t bytes, std::string* out) {
  if (queued() > 0) {
    out->append(out_, out_taken_, bytes);
    out_taken_ += bytes;
    if (queued() > 0) return;
    std::string().swap(out_);  // which frees it
    out_taken_ = 0;
    return;
  }
  const size_t begin = out->size();
  AppendMessagePrefix(peeked_bytes_, out);
  for (const Slice& slice : peeked_) out->append(slice.data, slice.size);
  // What flow control cuts off is kept here: the log may have moved on by the time that it goes.
  if (out->size() > begin + bytes) {
    out_.assign(*out, begin + bytes);
    out->resize(begin + bytes);
  }
  peeked_ = {};
  handler_->Take(peeked_bytes_);
}

bool Call::EndsAfter(size_t offered) const { return finishing() && queued() == offered; }

// --- The end.

void Call::OnShutdown() {
  if (finishing()) return;
  if (handler_ != nullptr) {
    handler_->OnShutdown();
  } else {
    Finish(ToGrpcStatus(Outcome::kShutdown));
  }
}

void Call::OnDue() {
  due_ = {};
  if (finishing()) {
    Reset();
    return;
  }
  Finish({GrpcCode::kDeadlineExceeded, "the call's own deadline has passed"});
  EndHandler(Outcome::kOk);
}

void Call::OnOver(Outcome outcome) {
  connection_ = nullptr;
  EndHandler(outcome);
}

void Call::EndHandler(Outcome outcome) {
  if (handler_ == nullptr) return;
  handler_->OnOver(outcome);
  handler_.reset();
}

}  // namespace crier
