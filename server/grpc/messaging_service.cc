#include "server/grpc/messaging_service.h"

#include <string>
#include <utility>
#include <vector>

#include "crier/v1/messaging.pb.h"
#include "server/base/concat.h"
#include "server/grpc/request_handler.h"
#include "server/grpc/stream_session.h"

namespace crier {
namespace {

// The most events that one History call returns, whatever it asks for.
constexpr uint32_t kMaxHistoryEvents = 1000;

// The user whom the call's metadata names; empty: none.
std::string UserOf(const Call& call) { return std::string(call.head().Find("crier-user-id")); }

template <typename Request>
bool Parse(std::string_view bytes, Request* request) {
  return request->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

GrpcStatus BadRequest(std::string_view type) {
  return ToGrpcStatus(Outcome::kInvalidMessage,
                      Concat({"the request is not a ", type, " in protobuf's encoding"}));
}

// A Subscribe call is a session whose client sends these frames and then no more.
std::vector<v1::ClientFrame> FramesOf(v1::SubscribeRequest request) {
  std::vector<v1::ClientFrame> frames;
  frames.reserve(1 + static_cast<size_t>(request.topics_size()));
  v1::Hello& hello = *frames.emplace_back().mutable_hello();
  hello.mutable_resume()->Swap(request.mutable_resume());
  hello.set_slow_consumer_policy(request.slow_consumer_policy());
  for (std::string& topic : *request.mutable_topics()) {
    frames.emplace_back().mutable_subscribe()->set_topic(std::move(topic));
  }
  return frames;
}

class SubscribeSession final : public StreamSession {
 public:
  SubscribeSession(Call* call, std::string user_id)
      : StreamSession(call), call_(*call), user_id_(std::move(user_id)) {}

  void OnMessage(std::string_view message) override {
    if (std::exchange(asked_, true)) {
      Close(Outcome::kProtocolError, "a second request, where there is one in a call");
      return;
    }
    v1::SubscribeRequest request;
    if (!Parse(message, &request)) return call_.Finish(BadRequest("crier.v1.SubscribeRequest"));
    if (user_id_.empty()) user_id_ = std::move(*request.mutable_user_id());
    Open(std::move(user_id_), FramesOf(std::move(request)));
  }
  void OnHalfClose() override {
    if (!asked_) call_.Finish({GrpcCode::kInternal, "a call without its request"});
  }

 private:
  Call& call_;
  std::string user_id_;
  bool asked_ = false;
};

// The range as the bytes of a HistoryResponse: the events as they are in the log, the rest behind.
std::string Encode(HistoryRange range) {
  v1::HistoryResponse rest;
  rest.set_epoch(range.epoch);
  rest.set_tail(range.tail);
  rest.set_head(range.head);
  std::string bytes = std::move(range.events);
  rest.AppendToString(&bytes);
  return bytes;
}

// Runs `task` on the call's shard, from any other. The call may be over by then.
template <typename Task>
void OnShardOf(std::shared_ptr<Call> call, Task task) {
  Shard& shard = call->shard();
  if (shard.IsCurrent()) return task(call.get());
  shard.Post([call = std::move(call), task = std::move(task)]() mutable { task(call.get()); });
}

}  // namespace

void MessagingService::Register(MethodTable* methods) {
  methods->Add("/crier.v1.Messaging/Connect", [this](Call* call) { return Connect(call); });
  methods->Add("/crier.v1.Messaging/Subscribe", [this](Call* call) { return Subscribe(call); });
  methods->Add("/crier.v1.Messaging/Publish", [this](Call* call) {
    return std::make_unique<RequestHandler>(
        call, [this, user_id = UserOf(*call)](Call* asked, std::string_view request) {
          Publish(asked, request, user_id);
        });
  });
  methods->Add("/crier.v1.Messaging/History", [this](Call* call) {
    return std::make_unique<RequestHandler>(
        call, [this](Call* asked, std::string_view request) { History(asked, request); });
  });
}

bool MessagingService::Refused(Call* call) const {
  if (!refusing_.load(std::memory_order_relaxed)) return false;
  call->Finish(ToGrpcStatus(Outcome::kShutdown));
  return true;
}

std::unique_ptr<CallHandler> MessagingService::Connect(Call* call) {
  if (Refused(call)) return nullptr;
  auto session = std::make_unique<StreamSession>(call);
  session->Open(UserOf(*call), {});
  return session;
}

std::unique_ptr<CallHandler> MessagingService::Subscribe(Call* call) {
  if (Refused(call)) return nullptr;
  return std::make_unique<SubscribeSession>(call, UserOf(*call));
}

void MessagingService::Publish(Call* call, std::string_view request, const std::string& user_id) {
  v1::PublishRequest parsed;
  if (!Parse(request, &parsed)) return call->Finish(BadRequest("crier.v1.PublishRequest"));
  if (!parsed.has_message()) {
    return call->Finish(ToGrpcStatus(Outcome::kInvalidMessage, "message is missing: set it"));
  }
  v1::Message& message = *parsed.mutable_message();
  if (message.user_id().empty()) message.set_user_id(user_id);
  std::string topic = message.topic();
  engine_.Publish(std::move(message), [call = call->shared_from_this(), topic = std::move(topic)](
                                          const PublishResult& result) mutable {
    if (result.outcome != Outcome::kOk) {
      OnShardOf(std::move(call), [status = ToGrpcStatus(result.outcome, result.detail)](
                                     Call* asked) mutable { asked->Finish(std::move(status)); });
      return;
    }
    v1::PublishResponse response;
    response.set_topic(std::move(topic));
    response.set_epoch(result.epoch);
    response.set_offset(result.offset);
    response.set_recipients(result.recipients);
    response.set_duplicate(result.duplicate);
    OnShardOf(std::move(call), [bytes = response.SerializeAsString()](Call* asked) {
      asked->Send(bytes);
      asked->Finish({});
    });
  });
}

void MessagingService::History(Call* call, std::string_view request) {
  v1::HistoryRequest parsed;
  if (!Parse(request, &parsed)) return call->Finish(BadRequest("crier.v1.HistoryRequest"));
  const uint32_t wanted = parsed.max_events();
  const uint32_t max_events =
      wanted == 0 || wanted > kMaxHistoryEvents ? kMaxHistoryEvents : wanted;
  engine_.History(parsed.topic(), parsed.from(), max_events,
                  [call = call->shared_from_this()](HistoryRange range) mutable {
                    OnShardOf(std::move(call), [bytes = Encode(std::move(range))](Call* asked) {
                      asked->Send(bytes);
                      asked->Finish({});
                    });
                  });
}

}  // namespace crier
