#include "server/websocket/echo_connection.h"

#include <utility>

namespace crier {

void EchoConnection::Start(ShardConnections* set, const WebSocketContext* context,
                           Upgrade upgrade) {
  auto connection = std::make_unique<EchoConnection>(set, context, &upgrade);
  EchoConnection* started = connection.get();
  set->Add(std::move(connection), set->poller().now() + context->options.idle_timeout);
  PrepareHandshake(&started->ws_, context->options.compression, /*dialect=*/nullptr,
                   &started->handshake_);
  started->ws_.read_message_max(kMaxMessageBytes);
  started->ws_.auto_fragment(false);
  started->ws_.async_accept(upgrade.request, [started](error_code error) {
    if (error) return started->Finish();
    started->Read();
  });
}

EchoConnection::EchoConnection(ShardConnections* set, const WebSocketContext* context,
                               Upgrade* upgrade)
    : set_(set),
      context_(context),
      place_(std::move(upgrade->place)),
      stream_(&set->poller(), std::move(upgrade->socket), static_cast<GatherStream::Owner*>(this)),
      ws_(set->poller().io(), &stream_),
      message_(kMaxMessageBytes) {
  stream_.Unread(upgrade->unread);
}

TimePoint EchoConnection::CheckDeadlines(TimePoint now) {
  const TimePoint silent_at =
      std::max(stream_.last_received(), stream_.last_taken()) + context_->options.idle_timeout;
  const TimePoint at = cut_off_at_ == TimePoint() ? silent_at : cut_off_at_;
  if (now < at) return at;
  HardClose();
  return now + context_->options.idle_timeout;
}

void EchoConnection::OnStreamEnding() {
  cut_off_at_ = set_->poller().now() + context_->options.close_timeout;
  set_->CheckAt(this, cut_off_at_);
}

void EchoConnection::Read() {
  ws_.async_read(message_, [this](error_code error, size_t) { OnRead(error); });
}

void EchoConnection::OnRead(error_code error) {
  if (error) return Finish();
  ws_.text(ws_.got_text());
  ws_.async_write(message_.data(), [this](error_code written, size_t) { OnWritten(written); });
}

void EchoConnection::OnWritten(error_code error) {
  if (error) return Finish();
  message_.consume(message_.size());
  Read();
}

void EchoConnection::Finish() {
  HardClose();
  set_->Remove(this);
}

}  // namespace crier
