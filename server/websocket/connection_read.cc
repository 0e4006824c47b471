// Connection: what it reads. Its life: connection.cc.
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <cstring>
#include <utility>

#include "server/engine/engine.h"
#include "server/websocket/connection.h"
#include "server/websocket/frame_reader.h"

namespace crier {
namespace {

namespace websocket = boost::beast::websocket;

// Frames are refused by their id; one over the limit is not worth repeating.
constexpr size_t kMaxIdBytes = 64;

// Why Beast stopped reading.
Outcome OutcomeOf(const boost::system::error_code& error) {
  if (error == websocket::error::closed) return Outcome::kOk;
  if (error == websocket::error::message_too_big) return Outcome::kMessageTooBig;
  if (error == websocket::error::bad_frame_payload) return Outcome::kInvalidUtf8;
  if (error.category() == websocket::make_error_code(websocket::error::closed).category()) {
    return Outcome::kProtocolError;
  }
  if (error.category() == make_error_code(boost::beast::zlib::error::stream_error).category()) {
    return Outcome::kProtocolError;
  }
  return Outcome::kConnectionLost;
}

}  // namespace

void Connection::PrepareReading() {
  ws_->read_message_max(options().max_message_bytes);
  ws_->control_callback([this](websocket::frame_type type, boost::beast::string_view) {
    if (type != websocket::frame_type::close) return;
    peer_closed_ = true;
    stream_.set_close_at_once();
  });
}

void Connection::StartReading() {
  if (handshake_.extended) return Read();
  set_->spare_streams().GiveBack(std::move(ws_));
  ReadFrames();
}

// --- Without Beast.

void Connection::ReadFrames() {
  reading_ = true;
  const std::span<char> room =
      set_->receive_buffer().subspan(cut_frame_ == nullptr ? 0 : cut_frame_->size());
  stream_.async_read_some(boost::asio::buffer(room.data(), room.size()),
                          [this](error_code error, size_t bytes) { OnBytes(error, bytes); });
}

void Connection::OnBytes(error_code error, size_t count) {
  // Runs on: shard thread
  reading_ = false;
  if (error) return OnReadError(error);
  const std::span<char> buffer = set_->receive_buffer();
  if (cut_frame_ != nullptr) {
    std::memcpy(buffer.data(), cut_frame_->data(), cut_frame_->size());
    count += cut_frame_->size();
    cut_frame_.reset();
  }
  HandleBytes(buffer.first(count));
}

// Frames that came together are handled together: what they give rise to leaves in one flush.
void Connection::HandleBytes(std::span<char> bytes) {
  const size_t most = set_->receive_buffer().size();
  while (!bytes.empty()) {
    // What comes while a close is on its way is Beast's, which waits for the peer's close frame.
    if (outcome_) return HandOver({bytes.data(), bytes.size()});
    const ReceivedFrame frame = ReadFrame(bytes, options().max_message_bytes);
    if (frame.kind == ReceivedKind::kIncomplete && frame.size <= most) {
      cut_frame_ = std::make_unique<std::string>(bytes.data(), bytes.size());
      break;
    }
    switch (frame.kind) {
      case ReceivedKind::kText:
      case ReceivedKind::kBinary:
        HandleMessage(frame.payload, frame.kind == ReceivedKind::kBinary);
        break;
      case ReceivedKind::kPing:
        stream_.Pong(frame.payload);
        break;
      case ReceivedKind::kPong:
        break;
      case ReceivedKind::kIncomplete:
      case ReceivedKind::kUnusual:
        return HandOver({bytes.data(), bytes.size()});
    }
    bytes = bytes.subspan(frame.size);
  }
  ReadFrames();
}

void Connection::HandOver(std::string_view unconsumed) {
  if (reading_) {
    stream_.CancelRead();
    reading_ = false;
  }
  stream_.Unread(unconsumed);
  if (cut_frame_ != nullptr) {
    stream_.Unread(*cut_frame_);
    cut_frame_.reset();
  }
  ws_ = set_->spare_streams().Take(&stream_);
  PrepareReading();
  Read();
}

// --- Beast.

boost::asio::mutable_buffer Connection::room() {
  if (message_ == nullptr) message_ = set_->buffers().Take();
  return message_->room();
}

void Connection::Read() {
  // Frames that came together are handled together: what they give rise to leaves in one flush.
  EagerRunner& eager = set_->eager();
  in_read_ = true;
  do {
    read_again_ = false;
    reading_ = true;
    eager.Open();
    ws_->async_read_some(
        LateBuffer<Connection>(this),
        boost::asio::bind_executor(eager.get_executor(), [this](error_code error, size_t bytes) {
          OnRead(error, bytes);
        }));
    eager.Close();
  } while (eager.RunOne() && read_again_);
  in_read_ = false;
}

void Connection::OnRead(error_code error, size_t bytes) {
  // Runs on: shard thread
  reading_ = false;
  if (error) return OnReadError(error);
  if (message_ != nullptr) message_->Commit(bytes);
  if (ws_->is_message_done()) {
    // While a close is on its way, nothing that comes is done any more.
    if (!outcome_) {
      HandleMessage(message_ == nullptr ? std::string_view() : message_->text(), ws_->got_binary());
    }
    set_->buffers().GiveBack(std::move(message_));
  } else if (message_ != nullptr) {
    message_->GrowWhereFull();
  }
  if (closing_) return;  // which reads by itself
  if (in_read_) {
    read_again_ = true;
  } else {
    Read();
  }
}

// --- Either way.

void Connection::HandleMessage(std::string_view payload, bool binary) {
  const Arrival arrival = set_->shard().ArrivalNow();
  ShardMetrics& metrics = set_->shard().metrics();
  v1::ClientFrame frame;
  std::optional<DecodeError> problem = dialect_->Decode(payload, binary, &frame);
  metrics.ws_handling_seconds.Observe(Seconds(set_->shard().clock().Now() - arrival.at));
  if (!problem) {
    session_->Handle(std::move(frame), arrival);
    return;
  }
  session_->metrics().received[static_cast<size_t>(ActionKind::kInvalid)].Add();
  if (problem->id.size() > kMaxIdBytes) problem->id.clear();
  session_->Refuse(problem->outcome, problem->message, problem->id);
}

void Connection::OnReadError(error_code error) {
  over_ = true;
  if (!outcome_) outcome_ = OutcomeOf(error);
  Finish();
}

}  // namespace crier
