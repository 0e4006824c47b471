// Http2Connection: what a client may make it keep, and how often it may do what costs nothing.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include "server/grpc/http2_connection.h"

namespace crier {
namespace {

// A client that keeps cancelling calls faster than this is disconnected (CVE-2023-44487). A proxy
// with many users on one connection can reach nghttp2's own limit, 33 a second, and is then told
// INTERNAL_ERROR; so that is out of the way.
constexpr uint32_t kResetBurst = 10'000;
constexpr uint32_t kResetsPerSecond = 1'000;

// How many pings may come too soon before the client is disconnected. gRPC uses the same number
// (GRPC_ARG_HTTP2_MAX_PING_STRIKES).
constexpr int kMaxPingStrikes = 2;

// How many frames may wait in nghttp2. A stream has its head, its trailers and an RST_STREAM.
size_t MostFramesOf(const GrpcOptions& options) {
  return 1000 + 3 * static_cast<size_t>(options.max_streams_per_connection);
}

}  // namespace

bool Http2Connection::EndIfOverfull() {
  if (ended()) return false;
  if (nghttp2_session_get_outbound_queue_size(session_) > MostFramesOf(set_->options())) {
    Violated(GrpcViolation::kControlQueue);
  } else if (memory_.overfull() || static_cast<int64_t>(refusals_.size()) > kMostRefusalBytes) {
    Violated(GrpcViolation::kMemory);
  } else {
    return false;
  }
  // A GOAWAY would wait behind all the others.
  Close(Outcome::kProtocolError);
  return true;
}

void Http2Connection::Violated(GrpcViolation violation) {
  set_->violations().Note(violation, socket_.fd(), set_->poller().now());
}

void Http2Connection::Released(size_t bytes) {
  const uint32_t back = std::min(withheld_, static_cast<uint32_t>(bytes));
  if (back == 0) return;
  withheld_ -= back;
  if (!socket_.is_open()) return;
  // Not later, with what comes next: the client may have no window left to send anything.
  nghttp2_session_consume_connection(session_, back + std::exchange(unconsumed_, 0));
  if (!in_nghttp2_) set_->Mark(this, false);
}

bool Http2Connection::TakeRoom(size_t bytes) {
  if (room_taken_ != 0 && room_taken_ + bytes > Call::kMostAnswerBytes) return false;
  room_taken_ += static_cast<uint32_t>(bytes);
  return true;
}

void Http2Connection::GiveRoom(size_t bytes) {
  room_taken_ -= static_cast<uint32_t>(bytes);
  if (!socket_.is_open() || await_room_.empty() || room_taken_ >= Call::kMostAnswerBytes) return;
  // Those whose client takes nothing are not waited for: they try when it does.
  size_t woken = 0;
  bool one_will = false;
  while (!one_will && woken < await_room_.size()) {
    const std::shared_ptr<Call> call = await_room_[woken++].lock();
    if (call == nullptr || call->over()) continue;
    one_will = CanSend(call->id());
    call->LeaveRoomQueue();
    Proceed(call.get());
  }
  await_room_.erase(await_room_.begin(), await_room_.begin() + static_cast<ptrdiff_t>(woken));
}

void Http2Connection::EnhanceYourCalm(GrpcViolation violation, std::string_view why) {
  if (std::exchange(ending_, true)) return;
  Violated(violation);
  nghttp2_submit_goaway(
      session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
      NGHTTP2_ENHANCE_YOUR_CALM, reinterpret_cast<const uint8_t*>(why.data()), why.size());
}

void Http2Connection::OnClientReset() {
  // A bucket that holds kResetBurst and loses kResetsPerSecond.
  const TimePoint now = set_->poller().now();
  const auto lost = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now - last_client_reset_).count() *
      kResetsPerSecond / 1000);
  if (lost > 0) {
    client_resets_ -= static_cast<uint32_t>(std::min<uint64_t>(lost, client_resets_));
    last_client_reset_ = now;
  }
  if (++client_resets_ > kResetBurst) {
    EnhanceYourCalm(GrpcViolation::kResets, "too_many_resets");
  }
}

void Http2Connection::OnErrorSent(uint32_t code) {
  if (code == NGHTTP2_FLOW_CONTROL_ERROR) Violated(GrpcViolation::kFlowControl);
}

// Pings need a minimum interval while the server sends nothing, as in gRPC's own servers
// (doc/keepalive.md).
void Http2Connection::OnClientPing() {
  const TimePoint now = shard().clock().Now();
  if (last_client_ping_ != TimePoint() &&
      now - last_client_ping_ < set_->options().min_client_ping_interval) {
    if (++ping_strikes_ > kMaxPingStrikes) {
      EnhanceYourCalm(GrpcViolation::kPings,
                      "too_many_pings");  // the text that gRPC's clients expect
    }
    return;
  }
  last_client_ping_ = now;
}

}  // namespace crier
