#include "server/websocket/echo_connection.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/websocket/deflater.h"

namespace crier {

void EchoConnection::Start(ShardConnections* set, const WebSocketContext* context,
                           Upgrade* upgrade) {
  Handshake handshake =
      AcceptUpgrade(upgrade->request, /*dialect=*/nullptr, context->options.compression);
  auto connection = std::make_unique<EchoConnection>(set, context, handshake, upgrade);
  EchoConnection* started = connection.get();
  set->Add(std::move(connection), set->poller().now() + context->options.idle_timeout);
  set->Guard(started, [&] {
    if (started->stream_.is_over()) return;  // the server stops
    started->stream_.Unread(upgrade->unread);
    started->stream_.Begin(std::move(handshake.response));
    started->stream_.Flush();
    started->stream_.ReadOn();
  });
}

EchoConnection::EchoConnection(ShardConnections* set, const WebSocketContext* context,
                               const Handshake& handshake, Upgrade* upgrade)
    : set_(set),
      context_(context),
      place_(std::move(upgrade->place)),
      stream_(std::move(upgrade->socket), this, &set->frame_readers(),
              {.max_message_bytes = kMaxMessageBytes, .deflate = handshake.deflate.has_value()}),
      deflate_window_bits_(handshake.deflate ? handshake.deflate->server_window_bits : 0) {}

TimePoint EchoConnection::CheckDeadlines(TimePoint now) {
  const Socket& socket = stream_.socket();
  const TimePoint silent_at =
      std::max(socket.last_received(), socket.last_taken()) + context_->options.idle_timeout;
  const TimePoint at = cut_off_at_ == TimePoint() ? silent_at : cut_off_at_;
  if (now < at) return at;
  HardClose();
  return now + context_->options.idle_timeout;
}

void EchoConnection::LimitEnd() {
  cut_off_at_ = set_->poller().now() + context_->options.close_timeout;
  set_->CheckAt(this, cut_off_at_);
}

void EchoConnection::OnMessage(std::string_view payload, bool binary) {
  const std::string_view deflated = deflate_window_bits_ == 0
                                        ? std::string_view()
                                        : DeflateMessage(payload, deflate_window_bits_);
  if (!deflated.empty()) {
    stream_.WriteFrame(binary ? FrameStart::kCompressedBinary : FrameStart::kCompressedText,
                       deflated);
  } else {
    stream_.WriteFrame(binary ? FrameStart::kBinary : FrameStart::kText, payload);
  }
  if (stream_.waiting_bytes() > kMaxWaitingBytes) stream_.Flush();
  if (stream_.waiting_bytes() > kMaxWaitingBytes) stream_.PauseReading();
}

}  // namespace crier
