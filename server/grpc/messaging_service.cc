#include "server/grpc/messaging_service.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "crier/v1/messaging.pb.h"
#include "server/grpc/caller.h"
#include "server/grpc/stream_session.h"
#include "server/service/unary_codec.h"

namespace crier {
namespace {

// A Subscribe call is a session whose client sends these frames and then nothing more.
std::vector<v1::ClientFrame> FramesOf(v1::SubscribeRequest request) {
  std::vector<v1::ClientFrame> frames;
  frames.reserve(1 + static_cast<size_t>(request.topics_size()));
  v1::Hello& hello = *frames.emplace_back().mutable_hello();
  if (request.presence()) {
    // A hello has no word for it.
    for (const v1::ResumePoint& point : request.resume()) request.add_topics(point.topic());
  }
  hello.mutable_resume()->Swap(request.mutable_resume());
  hello.set_slow_consumer_policy(request.slow_consumer_policy());
  for (std::string& topic : *request.mutable_topics()) {
    v1::Subscribe& subscribe = *frames.emplace_back().mutable_subscribe();
    subscribe.set_topic(std::move(topic));
    subscribe.set_presence(request.presence());
  }
  return frames;
}

class SubscribeSession final : public StreamSession {
 public:
  SubscribeSession(Call* call, Caller caller)
      : StreamSession(call), call_(*call), caller_(std::move(caller)) {
    call_.AwaitRequest();
  }

  void OnMessage(std::string_view message) override {
    if (std::exchange(asked_, true)) {
      call_.Finish({GrpcCode::kUnimplemented, "a second request, where there is one in a call"});
      return;
    }
    if (const auto error = DecodeRequest(UnaryCodec::kProto, message, &request_)) {
      return call_.Finish(ToGrpcStatus(*error));
    }
    call_.Keep(message.size());
  }
  // Not before: a second request could follow.
  void OnHalfClose() override {
    if (!asked_) {
      call_.Finish({GrpcCode::kUnimplemented, "the call ended without a request"});
      return;
    }
    call_.HasRequest();
    v1::SubscribeRequest request = std::move(request_);
    call_.Keep(0);
    if (caller_.user_id.empty()) {
      auto user = UserId::Admit(std::move(*request.mutable_user_id()));
      if (const auto* refusal = std::get_if<Refusal>(&user)) {
        return call_.Finish(ToGrpcStatus(ErrorOf(*refusal)));
      }
      caller_.user_id = std::move(std::get<UserId>(user));
    }
    Open(std::move(caller_), FramesOf(std::move(request)));
    StreamSession::OnHalfClose();
  }

 private:
  Call& call_;
  Caller caller_;
  v1::SubscribeRequest request_;
  bool asked_ = false;
};

}  // namespace

void MessagingService::Register(MethodTable* methods) {
  methods->Add("/crier.v1.Messaging/Connect", [this](Call* call) { return Connect(call); });
  methods->Add("/crier.v1.Messaging/Subscribe", [this](Call* call) { return Subscribe(call); });
}

bool MessagingService::Refused(Call* call) const {
  if (!refusing_.load(std::memory_order_relaxed)) return false;
  call->Finish(ToGrpcStatus(Outcome::kShutdown));
  return true;
}

std::unique_ptr<CallHandler> MessagingService::Connect(Call* call) {
  if (Refused(call)) return nullptr;
  std::optional<Caller> caller = CallerOf(call, TokenTime::kLater);
  if (!caller) return nullptr;
  auto session = std::make_unique<StreamSession>(call);
  session->Open(std::move(*caller), {});
  return session;
}

std::unique_ptr<CallHandler> MessagingService::Subscribe(Call* call) {
  if (Refused(call)) return nullptr;
  std::optional<Caller> caller = CallerOf(call);
  if (!caller) return nullptr;
  return std::make_unique<SubscribeSession>(call, std::move(*caller));
}

}  // namespace crier
