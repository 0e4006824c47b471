// The calls that an HttpConnection takes: from the head of a request that makes one to its answer.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "server/base/concat.h"
#include "server/unary_http/connect_call.h"
#include "server/websocket/http_connection.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

// For a call: names in lower case.
CallFields FieldsOf(const HttpRequest& request) {
  CallFields fields;
  for (const auto& field : request) {
    std::string name(View(field.name_string()));
    absl::AsciiStrToLower(&name);
    fields.emplace_back(std::move(name), View(field.value()));
  }
  return fields;
}

}  // namespace

void HttpConnection::BeginCall(HttpAnswer answer, bool body_has_begun) {
  const size_t limit = context_->options.max_message_bytes;
  HttpRequest head = parser_->get();
  if (parser_->content_length().value_or(0) > limit) {
    const ConnectAnswer refusal = TooLongRequest(limit);
    CountCall(answer.method, refusal.code);
    HttpResponse response = CallResponse(head, refusal);
    response.keep_alive(false);
    return Answer(std::move(response));
  }
  const TimePoint now = set_->PreciseNow();
  const bool waits_for_word = !body_has_begun && head.version() >= 11 &&
                              boost::beast::iequals(head[http::field::expect], "100-continue");
  call_.reset(new PendingCall{
      .head = std::move(head),
      .body = http::request_parser<http::string_body>(std::move(*parser_)),
      .method = *answer.method,
      .framing = answer.framing,
      .caller = std::move(answer.caller),
      .client = std::move(answer.client),
      .deadline = answer.framing.timeout ? now + *answer.framing.timeout : TimePoint::max(),
      .memory = MemoryShare(&set_->shard().memory(), MemoryKind::kInput)});
  call_->body.body_limit(limit);
  // The whole request has to be there in this time.
  deadline_ = now + context_->options.handshake_timeout;
  if (call_->deadline < deadline_) set_->CheckAt(this, call_->deadline);
  phase_ = Phase::kReadingBody;
  // It fits: nothing else waits to be sent. If the last answer does, the client asks in vain, and
  // sends the body after a while.
  if (waits_for_word && socket_->CanSend()) socket_->Send("HTTP/1.1 100 Continue\r\n\r\n");
}

bool HttpConnection::ReadBody(std::string_view* input) {
  auto& body = call_->body;
  while (!body.is_done()) {
    if (input->empty()) return false;
    error_code error;
    const size_t used = body.put(boost::asio::buffer(input->data(), input->size()), error);
    input->remove_prefix(used);
    call_->memory.Set(body.get().body().capacity());
    if (error == http::error::body_limit) {
      return RefuseBody(TooLongRequest(context_->options.max_message_bytes));
    }
    if (error && error != http::error::need_more) {
      return RefuseBody(AnswerOf(ErrorOf(Outcome::kInvalidMessage,
                                         Concat({"not a body of a request: ", error.message()}))));
    }
    if (!body.is_done() && set_->shard().memory().full()) {
      return RefuseBody(AnswerOf(ErrorOf(Outcome::kOverloaded)));
    }
    if (error == http::error::need_more) return false;
  }
  return true;
}

void HttpConnection::GoOnLater() {
  phase_ = Phase::kAnswering;
  asks_ = std::make_shared<char>();
  set_->shard().Post([this, asks = std::weak_ptr<void>(asks_)] {
    if (asks.expired()) return;
    set_->Guard(this, [this] {
      asks_.reset();
      phase_ = Phase::kReading;
      ReadRequests(std::exchange(input_, {}));
    });
  });
}

bool HttpConnection::RefuseBody(const ConnectAnswer& answer) {
  AnswerCall(answer);
  return false;
}

void HttpConnection::MakeCall() {
  phase_ = Phase::kAnswering;
  asks_ = std::make_shared<char>();
  ConnectRequest request{.framing = call_->framing,
                         .caller = std::move(call_->caller),
                         .fields = {},
                         .body = std::move(call_->body.get().body())};
  if (call_->method.wants_fields) {
    request.fields = FieldsOf(call_->head);
    request.peer = std::move(call_->client);
  }
  // No answer comes when this connection has failed and is gone, or the call's time is over.
  MakeConnectCall(call_->method, &set_->shard(), std::move(request),
                  context_->options.max_message_bytes, asks_, [this](const ConnectAnswer& answer) {
                    set_->Guard(this, [this, &answer] { AnswerCall(answer); });
                  });
}

void HttpConnection::CountCall(const UnaryMethod* method, int code) {
  const GrpcMethod counted = method == nullptr ? GrpcMethod::kUnknown : method->metric;
  set_->shard()
      .metrics()
      .http_calls[static_cast<size_t>(counted)][std::min<size_t>(code, kGrpcCodeCount - 1)]
      .Add();
}

void HttpConnection::AnswerCall(const ConnectAnswer& answer) {
  asks_.reset();
  CountCall(&call_->method, answer.code);
  HttpResponse response = CallResponse(call_->head, answer);
  // A body that was not read would be taken for the next request.
  if (!call_->body.is_done() || place_.of_reserve()) response.keep_alive(false);
  Answer(std::move(response));
}

}  // namespace crier
