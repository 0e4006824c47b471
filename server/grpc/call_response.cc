// Call: what it sends.
#include <algorithm>
#include <cassert>
#include <memory>
#include <string>
#include <utility>

#include "server/grpc/call.h"
#include "server/grpc/http2_connection.h"

namespace crier {

void Call::AddHeader(std::string name, std::string value) {
  assert(!responded);
  if (added_ == nullptr) added_ = std::make_unique<AddedFields>();
  added_->head.emplace_back(std::move(name), std::move(value));
}

void Call::AddTrailer(std::string name, std::string value) {
  if (added_ == nullptr) added_ = std::make_unique<AddedFields>();
  added_->trailers.emplace_back(std::move(name), std::move(value));
}

void Call::SendHead() {
  if (!over() && !finishing()) connection_->Proceed(this);
}

void Call::Send(std::string_view message) {
  if (over() || finishing()) return;
  if (connection_->memory().full() || shard_.memory().full()) return RefuseMore();
  AppendMessagePrefix(message.size(), &out_);
  out_.append(message);
  Account();
  connection_->Proceed(this);
}

void Call::Send(std::unique_ptr<PulledMessage> message) {
  if (over() || finishing()) return;
  if (connection_->memory().full() || shard_.memory().full()) return RefuseMore();
  if (answer_ == nullptr) answer_ = std::make_unique<Answer>();
  answer_->left = message->size();
  answer_->message = std::move(message);
  if (answer_->has_room && answer_->room > answer_->left) {
    connection_->GiveRoom(answer_->room - answer_->left);
    answer_->room = answer_->left;
  }
  AppendMessagePrefix(answer_->left, &out_);
  Account();
  connection_->Proceed(this);
}

void Call::AwaitRoom(size_t bytes, absl::AnyInvocable<void()> answer) {
  if (over() || finishing()) return;
  assert(answer_ == nullptr);
  answer_ = std::make_unique<Answer>();
  answer_->make = std::move(answer);
  answer_->room = bytes;
  if (half_closed_) {
    const TimePoint by = connection_->PreciseNow() + connection_->close_timeout();
    if (due_ == TimePoint() || by < due_) {
      due_ = by;
      answer_->due_is_its = true;
      connection_->CheckCallAt(due_);
    }
  }
  if (connection_->CanSend(id_)) {
    TryRoom();
  } else {
    connection_->Proceed(this);
  }
}

void Call::TryRoom() {
  if (over() || finishing() || answer_ == nullptr || !answer_->make) return;
  if (!connection_->TakeRoom(answer_->room)) {
    if (!std::exchange(answer_->is_listed, true)) connection_->AwaitRoom(weak_from_this());
    return;
  }
  answer_->has_room = true;
  absl::AnyInvocable<void()> make = std::exchange(answer_->make, nullptr);
  Guard(make);
}

void Call::ReleaseRoom() {
  if (answer_ == nullptr) return;
  const std::unique_ptr<Answer> last = std::move(answer_);
  if (last->has_room && !over()) connection_->GiveRoom(last->room);
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
  DropKept();
  if (queued() == 0) ReleaseRoom();
  due_ = connection_->PreciseNow() + connection_->close_timeout();
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
  if (answer_ != nullptr && answer_->make) TryRoom();
  if (queued() > 0) return std::min(most, queued());
  if (handler_ == nullptr || finishing()) return 0;
  peeked_ = {};
  peeked_bytes_ = 0;
  Guard([this] {
    if (std::exchange(waits_to_send_, false)) handler_->OnCanSend();
    peeked_ = handler_->Peek(kMessageBudget);
  });
  for (const Slice& slice : peeked_) peeked_bytes_ += slice.size;
  return peeked_bytes_ == 0 ? 0 : std::min(most, kMessagePrefixBytes + peeked_bytes_);
}

void Call::AppendOffered(size_t bytes, std::string* out) {
  sent_since_beat_ = true;
  if (queued() > 0) return AppendQueued(bytes, out);
  const size_t begin = out->size();
  AppendMessagePrefix(peeked_bytes_, out);
  for (const Slice& slice : peeked_) out->append(slice.data, slice.size);
  // The part that flow control cuts off is kept here: the log may drop it before it can be sent.
  if (out->size() > begin + bytes) {
    out_.assign(*out, begin + bytes);
    out->resize(begin + bytes);
    Account();
  }
  peeked_ = {};
  Guard([this] { handler_->Take(peeked_bytes_); });
}

void Call::AppendQueued(size_t bytes, std::string* out) {
  if (const size_t before = std::min(bytes, out_.size() - out_taken_); before > 0) {
    out->append(out_, out_taken_, before);
    out_taken_ += before;
    bytes -= before;
  }
  if (bytes > 0) {
    answer_->left -= bytes;
    answer_->message->AppendNext(bytes, out);
  }
  if (queued() > 0) return;
  std::string().swap(out_);  // which frees it
  out_taken_ = 0;
  if (answer_ != nullptr && !answer_->make) ReleaseRoom();
  Account();
  if (handler_ != nullptr && !finishing()) Guard([this] { handler_->OnAllSent(); });
}

bool Call::EndsAfter(size_t offered) const { return finishing() && queued() == offered; }

}  // namespace crier
