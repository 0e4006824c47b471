#include "tests/support/http2_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "tests/support/loopback.h"

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string_view View(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

uint8_t* Bytes(const std::string& text) {
  return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
}

std::vector<nghttp2_nv> Nvs(const Http2Client::Fields& fields) {
  std::vector<nghttp2_nv> nvs;
  for (const auto& [name, value] : fields) {
    nvs.push_back({.name = Bytes(name),
                   .value = Bytes(value),
                   .namelen = name.size(),
                   .valuelen = value.size(),
                   .flags = NGHTTP2_NV_FLAG_NONE});
  }
  return nvs;
}

}  // namespace

struct Http2ClientCallbacks {
  static Http2Client& Client(void* client) { return *static_cast<Http2Client*>(client); }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* client) {
    Http2Client::Stream& stream = Client(client).streams_[frame->hd.stream_id].received;
    auto& fields = frame->headers.cat == NGHTTP2_HCAT_RESPONSE ? stream.head : stream.trailers;
    fields.emplace_back(View(name, name_size), View(value, value_size));
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data, size_t size,
                    void* client) {
    Client(client).streams_[stream].received.data.append(View(data, size));
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* client) {
    Http2Client& self = Client(client);
    const bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (frame->hd.type == NGHTTP2_SETTINGS) {
      self.settings_acks_ += ack ? 1 : 0;
      self.has_settings_ |= !ack;
    } else if (frame->hd.type == NGHTTP2_PING) {
      self.ping_acks_ += ack ? 1 : 0;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
      ++self.goaways_;
      self.gone_away_ = {.code = frame->goaway.error_code,
                         .debug_data = std::string(
                             View(frame->goaway.opaque_data, frame->goaway.opaque_data_len))};
    }
    if (frame->hd.stream_id == 0) return 0;
    Http2Client::Stream& stream = self.streams_[frame->hd.stream_id].received;
    if (frame->hd.type == NGHTTP2_RST_STREAM) stream.reset = frame->rst_stream.error_code;
    if (frame->hd.type == NGHTTP2_DATA) ++stream.data_frames;
    if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) {
      stream.ended |= (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    }
    return 0;
  }

  static int OnInvalidFrame(nghttp2_session*, const nghttp2_frame* frame, int error, void*) {
    ADD_FAILURE() << "the server sent a frame that it may not: type "
                  << static_cast<int>(frame->hd.type) << " on stream " << frame->hd.stream_id
                  << ": " << nghttp2_strerror(error);
    return 0;
  }

  static ssize_t ReadData(nghttp2_session*, int32_t stream, uint8_t* out, size_t most,
                          uint32_t* flags, nghttp2_data_source*, void* client) {
    Http2Client::Own& own = Client(client).streams_[stream];
    const size_t size = std::min(most, own.unsent.size());
    std::copy_n(own.unsent.data(), size, out);
    own.unsent.erase(0, size);
    if (own.half_closed && own.unsent.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (own.has_trailers) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    } else if (size == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(size);
  }
};

std::string Http2Client::Stream::Find(std::string_view name) const {
  for (const Fields* fields : {&trailers, &head}) {
    for (const auto& [field, value] : *fields) {
      if (field == name) return value;
    }
  }
  return "";
}

Http2Client::Http2Client(const std::string& address) : Http2Client(address, Options()) {}

Http2Client::Http2Client(const std::string& address, const Options& options)
    : fd_(ConnectTo(address)) {
  // Each frame is a packet of its own if the test sends it this way.
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Http2ClientCallbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                            &Http2ClientCallbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Http2ClientCallbacks::OnFrame);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
      callbacks, &Http2ClientCallbacks::OnInvalidFrame);
  nghttp2_option* session_options = nullptr;
  nghttp2_option_new(&session_options);
  nghttp2_option_set_no_auto_window_update(session_options, options.returns_window ? 0 : 1);
  nghttp2_option_set_max_send_header_block_length(session_options, 4 << 20);
  nghttp2_session_client_new2(&session_, callbacks, this, session_options);
  nghttp2_option_del(session_options);
  nghttp2_session_callbacks_del(callbacks);

  const std::array<nghttp2_settings_entry, 2> settings = {
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(options.stream_window)}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  if (options.connection_window > NGHTTP2_INITIAL_WINDOW_SIZE) {
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                          options.connection_window);
  }
  Flush();
  EXPECT_TRUE(Await([this] { return has_settings_ && settings_acks_ > 0; }))
      << "the server does not answer as an HTTP/2 server";
}

Http2Client::~Http2Client() { nghttp2_session_del(session_); }

// --- Sending.

int32_t Http2Client::Start(const Fields& fields, bool half_close) {
  const std::vector<nghttp2_nv> nvs = Nvs(fields);
  const nghttp2_data_provider data = {.source = {.ptr = nullptr},
                                      .read_callback = &Http2ClientCallbacks::ReadData};
  const int32_t stream = nghttp2_submit_request(session_, nullptr, nvs.data(), nvs.size(),
                                                half_close ? nullptr : &data, nullptr);
  EXPECT_GT(stream, 0) << nghttp2_strerror(stream);
  Flush();
  return stream;
}

void Http2Client::Send(int32_t stream, std::string_view bytes, bool half_close) {
  Own& own = streams_[stream];
  own.unsent.append(bytes);
  own.half_closed |= half_close;
  nghttp2_session_resume_data(session_, stream);
  Flush();
}

void Http2Client::SendTrailers(int32_t stream, const Fields& fields) {
  const std::vector<nghttp2_nv> nvs = Nvs(fields);
  streams_[stream].has_trailers = true;
  HalfClose(stream);
  EXPECT_EQ(nghttp2_submit_trailer(session_, stream, nvs.data(), nvs.size()), 0);
  Flush();
}

void Http2Client::Reset(int32_t stream, uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, code);
  Flush();
}

void Http2Client::Ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  Flush();
}

void Http2Client::SetWindow(int32_t stream, int32_t bytes) {
  EXPECT_EQ(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream, bytes), 0);
  Flush();
}

void Http2Client::SendRaw(std::string_view bytes) { SendAll(fd_.get(), bytes); }

void Http2Client::Flush() {
  std::string out;
  const uint8_t* bytes;
  ssize_t size;
  while ((size = nghttp2_session_mem_send(session_, &bytes)) > 0) {
    out.append(View(bytes, static_cast<size_t>(size)));
  }
  // Where the server has closed, the next read says so.
  SendAll(fd_.get(), out);
}

// --- Receiving.

void Http2Client::Receive(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  pollfd polled{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&polled, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) <= 0) return;
  std::array<uint8_t, 16 << 10> buffer;
  const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count <= 0) {
    closed_ = true;
    return;
  }
  const ssize_t result =
      nghttp2_session_mem_recv(session_, buffer.data(), static_cast<size_t>(count));
  if (result < 0) {
    ADD_FAILURE() << "the server does not speak HTTP/2: "
                  << nghttp2_strerror(static_cast<int>(result));
    closed_ = true;
    return;
  }
  Flush();
}

bool Http2Client::Await(const std::function<bool()>& condition, milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (!condition()) {
    if (closed_ || steady_clock::now() >= deadline) return false;
    Receive(deadline);
  }
  return true;
}

const Http2Client::Stream& Http2Client::AwaitEnd(int32_t id) {
  const Stream& awaited = streams_[id].received;
  EXPECT_TRUE(Await([&awaited] { return awaited.ended || awaited.reset.has_value(); }))
      << "the response does not end" << (closed_ ? ", but the connection was closed" : "");
  return awaited;
}

bool Http2Client::AwaitClose() {
  return Await([this] { return closed_; });
}

uint32_t Http2Client::ServersSetting(nghttp2_settings_id id) const {
  return nghttp2_session_get_remote_settings(session_, id);
}

}  // namespace crier::testing
