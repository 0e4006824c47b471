#include "server/grpc/unary_service.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/grpc/caller.h"
#include "server/grpc/request_handler.h"
#include "server/grpc/timeout.h"

namespace crier {
namespace {

class GrpcUnaryCall final : public UnaryCall {
 public:
  GrpcUnaryCall(std::shared_ptr<Call> call, UnaryHead head)
      : UnaryCall(&call->shard(), std::move(head)), call_(std::move(call)) {}

  bool over() const override { return call_->over() || call_->finishing(); }
  void AddHeader(std::string name, std::string value) override {
    call_->AddHeader(std::move(name), std::move(value));
  }
  void AddTrailer(std::string name, std::string value) override {
    call_->AddTrailer(std::move(name), std::move(value));
  }

  using UnaryCall::Fail;
  void Respond(const google::protobuf::Message& response) override {
    call_->Send(response.SerializeAsString());
    call_->Finish({});
  }
  void Respond(std::unique_ptr<PulledMessage> response) override {
    call_->Send(std::move(response));
    call_->Finish({});
  }
  void Fail(UnaryError error) override { call_->Finish(ToGrpcStatus(error)); }

  void AwaitRoom(size_t bytes, absl::AnyInvocable<void(UnaryCall&)> make) override {
    // The call drops it at its end at the latest, so the two do not keep each other alive.
    call_->AwaitRoom(
        bytes, [self = shared_from_this(), make = std::move(make)]() mutable { make(*self); });
  }
  // A long response is the log's own memory, which the client pulls.
  size_t response_limit() const override { return std::numeric_limits<size_t>::max(); }

 private:
  void CutOff() noexcept override { call_->Reset(); }

  const std::shared_ptr<Call> call_;
};

// The metadata. The others are HTTP/2's own.
CallFields FieldsOf(const RequestHead& head) {
  CallFields fields;
  for (const auto& field : head.fields) {
    if (!field.first.starts_with(':')) fields.push_back(field);
  }
  return fields;
}

std::unique_ptr<CallHandler> Start(const UnaryMethod& method, Call* call) {
  std::optional<Caller> caller = CallerOf(call);
  if (!caller) return nullptr;
  UnaryHead head{.caller = *std::move(caller),
                 .timeout = ParseGrpcTimeout(call->head().Find("grpc-timeout")),
                 .fields = {}};
  if (method.wants_fields) {
    head.fields = FieldsOf(call->head());
    head.peer = call->PeerAddress();
  }
  return std::make_unique<RequestHandler>(
      call,
      [&method, head = std::move(head)](Call* asked, std::string_view request) mutable {
        const auto unary =
            std::make_shared<GrpcUnaryCall>(asked->shared_from_this(), std::move(head));
        method.serve(*unary, UnaryCodec::kProto, request);
      },
      method.wants_fields ? call->head().bytes : 0);
}

}  // namespace

void RegisterUnary(const UnaryMethods& unary, MethodTable* methods) {
  for (const auto& method : unary.all()) {
    methods->Add(method->path, [&method = *method](Call* call) { return Start(method, call); });
  }
}

}  // namespace crier
