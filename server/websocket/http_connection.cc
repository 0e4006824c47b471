#include "server/websocket/http_connection.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/serializer.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "server/base/concat.h"
#include "server/unary_http/connect_call.h"
#include "server/websocket/connection.h"
#include "server/websocket/echo_connection.h"
#include "server/websocket/metrics_thread.h"
#include "server/websocket/upgrade.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

// As in other servers: enough for cookies and tokens.
constexpr uint32_t kMaxHeaderBytes = 8 << 10;
// So much of a header is never refused for lack of memory: who asks how the server is sends less.
constexpr size_t kAlwaysHeaderBytes = 1 << 10;
// How long one beyond the limit may take to ask: there are few such places.
constexpr std::chrono::milliseconds kReserveTimeout{2000};

// The bytes of a response.
std::string Serialized(HttpResponse response) {
  std::string bytes;
  http::response_serializer<http::string_body> serializer(response);
  boost::system::error_code error;
  while (!serializer.is_done()) {
    serializer.next(error, [&](boost::system::error_code&, const auto& buffers) {
      size_t size = 0;
      for (const boost::asio::const_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
        bytes.append(static_cast<const char*>(buffer.data()), buffer.size());
        size += buffer.size();
      }
      serializer.consume(size);
    });
    if (error) break;  // http::error::end_of_stream: the connection is to be closed behind it
  }
  return bytes;
}

}  // namespace

void HttpConnection::Start(ShardConnections* set, const WebSocketContext* context,
                           AcceptedConnection accepted) {
  auto connection = std::make_unique<HttpConnection>(set, context, std::move(accepted));
  HttpConnection* started = connection.get();
  set->Add(std::move(connection), started->deadline_);
  set->Guard(started, [started] {
    if (started->phase_ == Phase::kReading) started->socket_->Start(/*read_now=*/true);
  });
}

HttpConnection::HttpConnection(ShardConnections* set, const WebSocketContext* context,
                               AcceptedConnection accepted)
    : set_(set),
      context_(context),
      peer_(std::move(accepted.peer)),
      place_(std::move(accepted.place)),
      socket_(std::make_unique<Socket>(&set->poller(), std::move(accepted.fd),
                                       static_cast<Socket::Owner*>(this),
                                       set->NewTls(context->tls, TlsProtocol::kHttp1))),
      deadline_(set->poller().now() + patience()),
      input_memory_(&set->shard().memory(), MemoryKind::kInput),
      output_memory_(&set->shard().memory(), MemoryKind::kOutput) {}

std::chrono::milliseconds HttpConnection::patience() const {
  const std::chrono::milliseconds timeout = context_->options.handshake_timeout;
  return place_.of_reserve() ? std::min(kReserveTimeout, timeout) : timeout;
}

TimePoint HttpConnection::CheckDeadlines(TimePoint now) {
  if (call_ != nullptr && now >= call_->deadline &&
      (phase_ == Phase::kReadingBody || (phase_ == Phase::kAnswering && asks_ != nullptr))) {
    AnswerCall(AnswerOf(DeadlineExceeded()));
  }
  // While the server itself is what is waited for, the client is not late.
  if (phase_ == Phase::kAnswering && asks_ != nullptr) {
    deadline_ = now + patience();
    return call_ == nullptr ? deadline_ : std::min(deadline_, call_->deadline);
  }
  if (now < deadline_) return deadline_;
  // One that is kept, and asks for nothing more, is no handshake.
  if (phase_ == Phase::kReadingBody || (phase_ == Phase::kReading && !has_answered_)) {
    set_->shard().metrics().of(TransportKind::kWebSocket).handshakes_timed_out.Add();
  }
  Finish();
  return now + context_->options.handshake_timeout;
}

// --- Requests.

void HttpConnection::OnBytes(std::span<char> bytes) {
  const std::string_view received(bytes.data(), bytes.size());
  if (input_.empty()) return ReadRequests(received);
  const std::string all = std::exchange(input_, {}).append(received);
  ReadRequests(all);
}

void HttpConnection::ReadRequests(std::string_view input) {
  in_requests_ = true;
  while (true) {
    if (phase_ == Phase::kReading && ReadHeader(&input)) {
      OnRequest(&input);
    } else if (phase_ == Phase::kReadingBody && ReadBody(&input)) {
      MakeCall();
      if (phase_ == Phase::kReading && !input.empty()) GoOnLater();
    } else {
      break;
    }
  }
  in_requests_ = false;
  if (phase_ == Phase::kOver) return;
  input_ = input;
  input_memory_.Set(header_bytes_ + input_.capacity());
  if (phase_ == Phase::kReading && header_bytes_ + input_.size() > kAlwaysHeaderBytes &&
      set_->shard().memory().full()) {
    input_ = {};
    parser_.reset();
    input_memory_.Set(0);
    Answer(BadRequestResponse(http::status::service_unavailable, Info(Outcome::kOverloaded).text));
  }
  if (phase_ == Phase::kAnswering) {
    socket_->PauseReading();
  } else if (phase_ == Phase::kReading || phase_ == Phase::kReadingBody) {
    socket_->ResumeReading();
  }
}

bool HttpConnection::ReadHeader(std::string_view* input) {
  if (input->empty()) return false;
  if (!parser_) {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(boost::none);  // which is a call's own
  }
  error_code error;
  const size_t used = parser_->put(boost::asio::buffer(input->data(), input->size()), error);
  input->remove_prefix(used);
  header_bytes_ += used;
  if (error == http::error::need_more) return false;
  if (error) {
    OnBadRequest(error);
    return false;
  }
  return parser_->is_header_done();
}

void HttpConnection::OnRequest(std::string_view* input) {
  const HttpRequest& request = parser_->get();
  const std::string certificate_user =
      context_->tls == nullptr ? "" : socket_->tls()->PeerUser(context_->tls->options().user_from);
  HttpAnswer answer =
      AnswerRequest(request, {.options = context_->options,
                              .ready = context_->ready.load(std::memory_order_relaxed),
                              .accepting = context_->accepting.load(std::memory_order_relaxed),
                              .over_limit = place_.of_reserve(),
                              .loopback_only = context_->loopback_only,
                              .peer = peer_,
                              .tls = socket_->tls() != nullptr,
                              .trusted_proxies = context_->trusted_proxies,
                              .authenticator = set_->shard().options().authenticator,
                              .certificate_user = certificate_user,
                              .now = set_->shard().clock().WallNanos() / 1'000'000'000,
                              .metrics = &set_->shard().metrics(),
                              .place = &place_,
                              .methods = context_->methods});
  if (answer.origin_refused) LogRefusedOrigin(answer.client);
  if (answer.refused_code != 0) CountCall(answer.method, answer.refused_code);
  switch (answer.route) {
    case HttpRoute::kRespond:
      return AnswerRequested(std::move(answer.response));
    case HttpRoute::kMetrics:
      return AskForMetrics();
    case HttpRoute::kCall:
      return BeginCall(std::move(answer), !input->empty());
    case HttpRoute::kSession:
    case HttpRoute::kEcho:
      return HandOver(std::move(answer), *input);
  }
}

// --- What is answered at once, and /metrics.

void HttpConnection::AskForMetrics() {
  phase_ = Phase::kAnswering;
  // The thread may answer when this connection has failed and is gone.
  asks_ = std::make_shared<char>();
  context_->metrics->Ask(
      &set_->shard(), [this, asks = std::weak_ptr<void>(asks_)](const MetricsThread::Text& text) {
        if (asks.expired()) return;
        set_->Guard(this, [this, &text] {
          asks_.reset();
          AnswerRequested(MetricsResponse(parser_->get(), text.get()));
        });
      });
}

void HttpConnection::LogRefusedOrigin(std::string_view client) {
  const std::optional<uint64_t> left_out = context_->refused_origins.Admit(set_->poller().now());
  if (!left_out.has_value()) return;
  spdlog::warn("{}", RefusedOriginText(parser_->get(), context_->options, client, *left_out));
}

void HttpConnection::OnBadRequest(error_code error) {
  if (error == http::error::header_limit) {
    set_->shard().metrics().http_heads_too_long.Add();
    Answer(BadRequestResponse(http::status::request_header_fields_too_large,
                              Concat({"a request's header may be at most ",
                                      std::to_string(kMaxHeaderBytes), " bytes long"})));
  } else {
    Answer(BadRequestResponse(http::status::bad_request,
                              Concat({"not an HTTP request: ", error.message()})));
  }
}

// --- Answers.

void HttpConnection::AnswerRequested(HttpResponse response) {
  // Nothing here takes a body; one that came would be read as the next request.
  if (parser_->content_length().value_or(0) > 0 || parser_->chunked()) {
    response.keep_alive(false);
  }
  if (place_.of_reserve()) response.keep_alive(false);
  Answer(std::move(response));
}

void HttpConnection::Answer(HttpResponse response) {
  phase_ = Phase::kAnswering;
  // The client has this time to take it.
  deadline_ = set_->poller().now() + patience();
  keep_alive_ = response.keep_alive();
  output_ = Serialized(std::move(response));
  sent_ = 0;
  output_memory_.Set(output_.capacity());
  SendOutput();
}

void HttpConnection::SendOutput() {
  if (phase_ != Phase::kAnswering || output_.empty() || !socket_->CanSend()) return;
  sent_ += socket_->Send(std::string_view(output_).substr(sent_));
  if (phase_ == Phase::kAnswering && sent_ == output_.size()) OnAnswered();
}

void HttpConnection::OnAnswered() {
  has_answered_ = true;
  output_ = {};
  output_memory_.Set(0);
  if (!keep_alive_) {
    phase_ = Phase::kLeaving;
    if (socket_->Linger()) Finish();
    return;
  }
  parser_.reset();
  header_bytes_ = 0;
  call_.reset();
  deadline_ = set_->poller().now() + context_->options.handshake_timeout;
  phase_ = Phase::kReading;
  if (!in_requests_) ReadRequests(std::exchange(input_, {}));
}

void HttpConnection::HandOver(HttpAnswer answer, std::string_view unread) {
  // A proxy's connection counts for whom it stands for, now that it stays.
  RefusalKind why = RefusalKind::kPerAddress;
  if (answer.client != peer_ &&
      !place_.CountFor(answer.client, std::chrono::steady_clock::now(), &why)) {
    return AnswerRequested(RefusedConnectionResponse(parser_->get(), why));
  }
  Upgrade upgrade{.socket = std::move(socket_),
                  .place = std::move(place_),
                  .request = parser_->release(),
                  .unread = unread,
                  .user_id = std::move(answer.user_id),
                  .grant = std::move(answer.grant),
                  .client = {}};
  // A proxy's header names it. Elsewhere the socket knows.
  if (answer.client != peer_ || context_->options.proxy_protocol) {
    upgrade.client = std::make_unique<const std::string>(std::move(answer.client));
  }
  try {
    if (answer.route == HttpRoute::kEcho) {
      EchoConnection::Start(set_, context_, &upgrade);
    } else {
      Connection::Start(set_, context_, &upgrade);
    }
  } catch (...) {
    // The socket may be on the stack below, and ends with this connection.
    socket_ = std::move(upgrade.socket);
    throw;
  }
  phase_ = Phase::kOver;
  set_->Remove(this);
}

// --- The end.

void HttpConnection::Finish() {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  asks_.reset();
  socket_->Close();
  set_->Remove(this);
}

void HttpConnection::OnFailed() {
  phase_ = Phase::kOver;
  asks_.reset();
  if (socket_ != nullptr) socket_->Close();
}

}  // namespace crier
