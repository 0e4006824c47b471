#include "server/websocket/http_connection.h"

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "server/base/concat.h"
#include "server/engine/engine.h"
#include "server/websocket/connection.h"
#include "server/websocket/echo_connection.h"
#include "server/websocket/upgrade.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

// As other servers: enough for cookies and tokens.
constexpr uint32_t kMaxHeaderBytes = 8 << 10;

}  // namespace

void HttpConnection::Start(ShardConnections* set, const WebSocketContext* context,
                           AcceptedConnection accepted) {
  auto connection = std::make_unique<HttpConnection>(set, context, std::move(accepted));
  HttpConnection* started = connection.get();
  set->Add(std::move(connection), started->deadline_);
  started->ReadRequest();
}

HttpConnection::HttpConnection(ShardConnections* set, const WebSocketContext* context,
                               AcceptedConnection accepted)
    : set_(set),
      context_(context),
      place_(std::move(accepted.place)),
      stream_(&set->poller(), {.fd = std::move(accepted.fd), .interest = 0}, /*owner=*/nullptr),
      deadline_(set->poller().now() + context->options.handshake_timeout),
      buffer_(2 * kMaxHeaderBytes) {}

TimePoint HttpConnection::CheckDeadlines(TimePoint now) {
  if (now < deadline_) return deadline_;
  stream_.HardClose();
  return now + context_->options.handshake_timeout;
}

void HttpConnection::ReadRequest() {
  parser_.emplace();
  parser_->header_limit(kMaxHeaderBytes);
  http::async_read_header(stream_, buffer_, *parser_,
                          [this](error_code error, size_t) { OnRequest(error); });
}

void HttpConnection::OnRequest(error_code error) {
  if (error) return OnBadRequest(error);
  const HttpRequest& request = parser_->get();
  Engine& engine = set_->shard().engine();
  HttpAnswer answer =
      AnswerRequest(request, {.options = context_->options,
                              .ready = context_->ready.load(std::memory_order_relaxed),
                              .accepting = context_->accepting.load(std::memory_order_relaxed),
                              .metrics_text = [&engine] { return engine.metrics().Text(); }});
  if (answer.route != HttpRoute::kRespond) return HandOver(std::move(answer));
  // Nothing here takes a body; one that came would be read as the next request.
  if (parser_->content_length().value_or(0) > 0 || parser_->chunked()) {
    answer.response.keep_alive(false);
  }
  Answer(std::move(answer.response));
}

void HttpConnection::OnBadRequest(error_code error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    Answer(BadRequestResponse(http::status::request_header_fields_too_large,
                              Concat({"a request's header may be at most ",
                                      std::to_string(kMaxHeaderBytes), " bytes long"})));
  } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    Answer(BadRequestResponse(http::status::bad_request,
                              Concat({"not an HTTP request: ", error.message()})));
  } else {
    Finish();
  }
}

void HttpConnection::Answer(HttpResponse response) {
  response_ = std::move(response);
  http::async_write(stream_, response_, [this](error_code error, size_t) { OnAnswered(error); });
}

void HttpConnection::OnAnswered(error_code error) {
  if (error || stream_.broken()) return Finish();
  if (!response_.keep_alive()) return ShutDown();
  deadline_ = set_->poller().now() + context_->options.handshake_timeout;
  ReadRequest();
}

void HttpConnection::ShutDown() {
  stream_.async_shut_down([this](error_code) { Finish(); });
}

void HttpConnection::HandOver(HttpAnswer answer) {
  Upgrade upgrade{.socket = stream_.Release(),
                  .place = std::move(place_),
                  .request = parser_->release(),
                  .unread = boost::beast::buffers_to_string(buffer_.data()),
                  .user_id = std::move(answer.user_id)};
  if (answer.route == HttpRoute::kEcho) {
    EchoConnection::Start(set_, context_, std::move(upgrade));
  } else {
    Connection::Start(set_, context_, std::move(upgrade));
  }
  set_->Remove(this);
}

void HttpConnection::Finish() {
  stream_.HardClose();
  set_->Remove(this);
}

}  // namespace crier
