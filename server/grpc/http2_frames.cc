// Http2Connection: the protocol, that is, nghttp2's callbacks and the frames submitted to it.
// Callbacks may submit to nghttp2, but must not ask it to receive or send.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "server/grpc/http2_connection.h"

namespace crier {
namespace {

// A stream's window, and the connection's. A message is handled when it is received, so what they
// allow is mostly not kept anywhere; the kernel's receive buffer holds back who sends too fast. A
// stream whose reading is paused (Call::PauseReading) keeps its own window's worth at most.
constexpr uint32_t kStreamWindowBytes = 256 << 10;
constexpr uint32_t kConnectionWindowBytes = 1 << 20;

// nghttp2 is told of what was handled once it is so much of a window: it asks for more by itself
// at half of it, and a small message costs nothing.
constexpr uint32_t kConsumedShare = 8;

// So many frames hold a header list of 1 MiB, which is refused, but is no reason to close the
// connection. nghttp2's default is 8, and it counts a frame twice whose head comes in two pieces.
constexpr size_t kMostContinuations = 64;

std::string_view View(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// nghttp2's callbacks. `connection` is an Http2Connection. A stream's user data is its Call, null
// after the call is over.
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
    Call* call = CallOf(session, frame->hd.stream_id);
    if (call == nullptr || call->AddField(View(name, name_size), View(value, value_size),
                                          Connection(connection).max_metadata_bytes())) {
      return 0;
    }
    return Connection(connection).RefuseHead(call, frame->hd.stream_id);
  }

  static int OnFrame(nghttp2_session* session, const nghttp2_frame* frame, void* connection) {
    Http2Connection& self = Connection(connection);
    if (frame->hd.type == NGHTTP2_SETTINGS) self.OnGreeted();
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
      self.OnClientPing();
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM) self.OnClientReset();
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code == NGHTTP2_NO_ERROR) {
      self.left_ = true;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Call* call = CallOf(session, frame->hd.stream_id);
    if (call == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      call->Begin(self.set_->methods());
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) call->OnHalfClose();
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t stream, const uint8_t* data,
                    size_t size, void* connection) {
    uint32_t of_stream = static_cast<uint32_t>(size);
    Http2Connection& self = Connection(connection);
    uint32_t withheld = 0;
    if (Call* call = CallOf(session, stream)) {
      const size_t used = call->OnData(View(data, size));
      // What the call keeps stays in the stream's own window, and the other streams go on; unless
      // calls keep much.
      if (used < size && self.memory_.half_full()) withheld = static_cast<uint32_t>(size - used);
      call->unconsumed += static_cast<uint32_t>(used);
      const bool tell = call->unconsumed >= kStreamWindowBytes / kConsumedShare;
      of_stream = tell ? std::exchange(call->unconsumed, 0) : 0;
    }
    int error = of_stream == 0 ? 0 : nghttp2_session_consume_stream(session, stream, of_stream);
    uint32_t& of_all = self.unconsumed_;
    of_all += static_cast<uint32_t>(size) - withheld;
    self.withheld_ += withheld;
    if (error == 0 && of_all >= kConnectionWindowBytes / kConsumedShare) {
      error = nghttp2_session_consume_connection(session, std::exchange(of_all, 0));
    }
    return error == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int OnStreamClosed(nghttp2_session* session, int32_t stream, uint32_t error, void*) {
    Call* call = CallOf(session, stream);
    if (call == nullptr) return 0;
    nghttp2_session_set_stream_user_data(session, stream, nullptr);
    // A client ends its own call by cancelling it.
    const bool by_itself = error == NGHTTP2_NO_ERROR || error == NGHTTP2_CANCEL;
    Http2Connection::Drop(call, by_itself ? Outcome::kOk : Outcome::kProtocolError);
    return 0;
  }

  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* connection) {
    Http2Connection& self = Connection(connection);
    if (frame->hd.type == NGHTTP2_GOAWAY) self.OnErrorSent(frame->goaway.error_code);
    if (frame->hd.type == NGHTTP2_RST_STREAM) self.OnErrorSent(frame->rst_stream.error_code);
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    self.ping_strikes_ = 0;
    self.last_client_ping_ = {};
    // The status was sent. If the client still sends, it is told that nobody listens, and the
    // stream is over (RFC 9113, section 8.1).
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  // Says how many bytes of the call come next. SendData adds the bytes themselves.
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

  // A callback as nghttp2 gets it: no exception goes through C. What one means ends its call
  // (Call::Guard), so what comes here is want of memory for the connection's own things.
  template <auto callback>
  struct Guarded;
  template <class Result, class... Arguments, Result (*callback)(Arguments...)>
  struct Guarded<callback> {
    static Result Run(Arguments... arguments) {
      try {
        return callback(arguments...);
      } catch (...) {
        void* const connection = std::get<sizeof...(Arguments) - 1>(std::tie(arguments...));
        Connection(connection).OnCallbackException();
        return NGHTTP2_ERR_CALLBACK_FAILURE;
      }
    }
  };

  // Made once, and never destroyed.
  static const nghttp2_session_callbacks* Callbacks() {
    static const nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      nghttp2_session_callbacks_new(&made);
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, &Guarded<&OnBeginHeaders>::Run);
      nghttp2_session_callbacks_set_on_header_callback(made, &Guarded<&OnHeader>::Run);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, &Guarded<&OnFrame>::Run);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, &Guarded<&OnData>::Run);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, &Guarded<&OnStreamClosed>::Run);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, &Guarded<&OnFrameSent>::Run);
      nghttp2_session_callbacks_set_send_data_callback(made, &Guarded<&SendData>::Run);
      return made;
    }();
    return callbacks;
  }

  static const nghttp2_option* Options() {
    static const nghttp2_option* const options = [] {
      nghttp2_option* made = nullptr;
      nghttp2_option_new(&made);
      nghttp2_option_set_no_closed_streams(made, 1);
      nghttp2_option_set_no_auto_window_update(made, 1);
      nghttp2_option_set_max_continuations(made, kMostContinuations);
      // Far above our own (http2_limits.cc).
      nghttp2_option_set_stream_reset_rate_limit(made, 100'000, 10'000);
      return made;
    }();
    return options;
  }
};

void Http2Connection::MakeSession() {
  nghttp2_mem memory = memory_.Allocator();
  const int error = nghttp2_session_server_new3(&session_, Http2Frames::Callbacks(), this,
                                                Http2Frames::Options(), &memory);
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
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        int32_t{kConnectionWindowBytes});
}

nghttp2_data_provider Http2Connection::DataOf(Call* call) {
  return {.source = {.ptr = call},
          .read_callback = &Http2Frames::Guarded<&Http2Frames::ReadData>::Run};
}

void Http2Connection::SubmitGoAway() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Http2Connection::OnCallbackException() {
  broken_ = true;
  NoteHandlerException(&shard().metrics().handler_exceptions, "a gRPC connection's handler");
}

void Http2Connection::OnGreeted() {
  if (std::exchange(greeted_, true)) return;
  Beat();
  next_check_ = std::min(
      {calls_due_, socket_.last_received() + set_->options().keepalive_time, beat_at_, old_at_});
  set_->CheckAt(this, next_check_);
}

}  // namespace crier
