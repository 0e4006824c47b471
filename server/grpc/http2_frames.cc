// Http2Connection: the protocol, as nghttp2's callbacks and what is submitted to it. nghttp2 may be
// submitted to from its callbacks, but not asked to receive or send.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "server/grpc/http2_connection.h"

namespace crier {
namespace {

// A stream's window, and the connection's. A message is handled when it is received, so what they
// allow is not kept anywhere; the kernel's receive buffer holds back who sends too fast.
constexpr uint32_t kStreamWindowBytes = 256 << 10;
constexpr int32_t kConnectionWindowBytes = 1 << 20;

// A client that goes on cancelling calls faster than this is disconnected (CVE-2023-44487).
// nghttp2's own default, 33 a second, is met by a proxy with many users on one connection.
constexpr uint64_t kResetBurst = 10'000;
constexpr uint64_t kResetsPerSecond = 1'000;

// So many pings may come too soon before the client is disconnected: gRPC's own number
// (GRPC_ARG_HTTP2_MAX_PING_STRIKES).
constexpr int kMaxPingStrikes = 2;

nghttp2_nv Field(std::string_view name, std::string_view value) {
  return {.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          .value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = NGHTTP2_NV_FLAG_NONE};
}

std::string_view View(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// The fields of a status. Each refers to `status`, or to what this object holds.
class StatusFields {
 public:
  explicit StatusFields(const GrpcStatus& status)
      : code_(std::to_string(status.code)),
        message_(PercentEncoded(status.message)),
        details_(absl::Base64Escape(status.details)) {}

  void AddTo(std::vector<nghttp2_nv>* fields) const {
    fields->push_back(Field("grpc-status", code_));
    if (!message_.empty()) fields->push_back(Field("grpc-message", message_));
    if (!details_.empty()) fields->push_back(Field("grpc-status-details-bin", details_));
  }

 private:
  const std::string code_;
  const std::string message_;
  const std::string details_;
};

}  // namespace

// What nghttp2 calls. `connection` is an Http2Connection; a stream's user data is its Call, null
// once that is over.
struct Http2Frames {
  static Http2Connection& Connection(void* connection) {
    return *static_cast<Http2Connection*>(connection);
  }
  static Call* CallOf(nghttp2_session* session, int32_t stream) {
    return static_cast<Call*>(nghttp2_session_get_stream_user_data(session, stream));
  }

  static int OnBeginHeaders(nghttp2_session* session, const nghttp2_frame* frame,
                            void* connection) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto call = std::make_shared<Call>(&Connection(connection), frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, call->id(), call.get());
    Connection(connection).calls_.push_back(*call);
    call->self = call;
    return 0;
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* connection) {
    if (Call* call = CallOf(session, frame->hd.stream_id)) {
      call->AddField(View(name, name_size), View(value, value_size),
                     Connection(connection).set_->options().max_metadata_bytes);
    }
    return 0;
  }

  static int OnFrame(nghttp2_session* session, const nghttp2_frame* frame, void* connection) {
    Http2Connection& self = Connection(connection);
    if (frame->hd.type == NGHTTP2_SETTINGS) self.OnGreeted();
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
      self.OnClientPing();
    }
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code == NGHTTP2_NO_ERROR) {
      self.left_ = true;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Call* call = CallOf(session, frame->hd.stream_id);
    if (call == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      call->Begin(self.set_->methods(), self.set_->options().max_metadata_bytes);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) call->OnHalfClose();
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t stream, const uint8_t* data,
                    size_t size, void* connection) {
    if (Call* call = CallOf(session, stream)) {
      call->OnData(View(data, size), Connection(connection).set_->options().max_receive_bytes);
    }
    return 0;
  }

  static int OnStreamClosed(nghttp2_session* session, int32_t stream, uint32_t error, void*) {
    Call* call = CallOf(session, stream);
    if (call == nullptr) return 0;
    nghttp2_session_set_stream_user_data(session, stream, nullptr);
    // A client ends a call of its own by cancelling it.
    const bool by_itself = error == NGHTTP2_NO_ERROR || error == NGHTTP2_CANCEL;
    Http2Connection::Drop(call, by_itself ? Outcome::kOk : Outcome::kProtocolError);
    return 0;
  }

  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* connection) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    Connection(connection).ping_strikes_ = 0;
    Connection(connection).last_client_ping_ = {};
    // The status was sent: who is still sending is told that nobody listens, and the stream is over
    // (RFC 9113, section 8.1).
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  // What of the call comes next. The bytes themselves go in SendData.
  static ssize_t ReadData(nghttp2_session*, int32_t, uint8_t*, size_t most, uint32_t* flags,
                          nghttp2_data_source* source, void* connection) {
    Http2Connection& self = Connection(connection);
    auto* call = static_cast<Call*>(source->ptr);
    if (self.out_.size() >= Http2Connection::kBytesPerFlush) return NGHTTP2_ERR_PAUSE;
    const size_t size = call->Offer(most);
    if (call->EndsAfter(size)) {
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      self.SubmitTrailers(call);
    } else if (size == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return static_cast<ssize_t>(size);
  }

  static int SendData(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size,
                      nghttp2_data_source* source, void* connection) {
    constexpr size_t kFrameHeadBytes = 9;
    assert(frame->data.padlen == 0);
    (void)frame;
    Http2Connection& self = Connection(connection);
    self.out_.append(View(head, kFrameHeadBytes));
    if (size > 0) static_cast<Call*>(source->ptr)->AppendOffered(size, &self.out_);
    self.ping_strikes_ = 0;
    self.last_client_ping_ = {};
    return 0;
  }

  // Made once, and never destroyed.
  static const nghttp2_session_callbacks* Callbacks() {
    static const nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      nghttp2_session_callbacks_new(&made);
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, &OnBeginHeaders);
      nghttp2_session_callbacks_set_on_header_callback(made, &OnHeader);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, &OnFrame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, &OnData);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, &OnStreamClosed);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, &OnFrameSent);
      nghttp2_session_callbacks_set_send_data_callback(made, &SendData);
      return made;
    }();
    return callbacks;
  }

  static const nghttp2_option* Options() {
    static const nghttp2_option* const options = [] {
      nghttp2_option* made = nullptr;
      nghttp2_option_new(&made);
      nghttp2_option_set_no_closed_streams(made, 1);
      nghttp2_option_set_stream_reset_rate_limit(made, kResetBurst, kResetsPerSecond);
      return made;
    }();
    return options;
  }
};

void Http2Connection::MakeSession() {
  const int error = nghttp2_session_server_new2(&session_, Http2Frames::Callbacks(), this,
                                                Http2Frames::Options());
  if (error != 0) throw std::bad_alloc();
}

void Http2Connection::SubmitSettings() {
  const GrpcOptions& options = set_->options();
  const std::array<nghttp2_settings_entry, 4> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       static_cast<uint32_t>(options.max_streams_per_connection)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<uint32_t>(GrpcOptions::kHardMetadataFactor * options.max_metadata_bytes)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
}

void Http2Connection::SubmitGoAway() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Http2Connection::SubmitHead(Call* call) {
  call->responded = true;
  const std::string http_status = std::to_string(call->http_status());
  std::vector<nghttp2_nv> fields = {Field(":status", http_status),
                                    Field("content-type", "application/grpc")};
  if (call->EndsAfter(0)) {
    const StatusFields status(call->status());
    status.AddTo(&fields);
    nghttp2_submit_response(session_, call->id(), fields.data(), fields.size(), nullptr);
    return;
  }
  fields.push_back(Field("grpc-accept-encoding", kAcceptedEncodings));
  const nghttp2_data_provider data = {.source = {.ptr = call},
                                      .read_callback = &Http2Frames::ReadData};
  nghttp2_submit_response(session_, call->id(), fields.data(), fields.size(), &data);
}

void Http2Connection::SubmitTrailers(Call* call) {
  std::vector<nghttp2_nv> fields;
  const StatusFields status(call->status());
  status.AddTo(&fields);
  nghttp2_submit_trailer(session_, call->id(), fields.data(), fields.size());
}

void Http2Connection::OnGreeted() {
  if (std::exchange(greeted_, true)) return;
  next_check_ = std::min(calls_due_, last_received_ + set_->options().keepalive_time);
  set_->CheckAt(this, next_check_);
}

// As gRPC's own servers do (doc/keepalive.md): pings between which the server sent nothing have to
// keep a distance.
void Http2Connection::OnClientPing() {
  const TimePoint now = shard().clock().Now();
  if (last_client_ping_ != TimePoint() &&
      now - last_client_ping_ < set_->options().min_client_ping_interval) {
    if (++ping_strikes_ > kMaxPingStrikes) {
      constexpr std::string_view kWhy = "too_many_pings";  // what gRPC's clients look for
      nghttp2_submit_goaway(
          session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
          NGHTTP2_ENHANCE_YOUR_CALM, reinterpret_cast<const uint8_t*>(kWhy.data()), kWhy.size());
      ending_ = true;
    }
    return;
  }
  last_client_ping_ = now;
}

}  // namespace crier
