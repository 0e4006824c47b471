// The handler of calls that begin with one request from the client: unary calls, and streams from
// the server.
#ifndef CRIER_SERVER_GRPC_REQUEST_HANDLER_H_
#define CRIER_SERVER_GRPC_REQUEST_HANDLER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "server/grpc/call.h"

namespace crier {

// Runs on: shard thread.
class RequestHandler final : public CallHandler {
 public:
  // Answers the request, now or later (Call::Send, Call::Finish).
  using Answer = absl::AnyInvocable<void(Call* call, std::string_view request)>;

  // The call owns this object. `answer` keeps so many bytes of the request's head.
  RequestHandler(Call* call, Answer answer, size_t head_bytes = 0)
      : call_(*call), answer_(std::move(answer)), head_bytes_(head_bytes) {
    if (head_bytes > 0) call_.Keep(head_bytes);
    call_.AwaitRequest();
  }

  void OnMessage(std::string_view message) override {
    if (request_.has_value()) {
      call_.Finish({GrpcCode::kUnimplemented, "a second request, where there is one in a call"});
      return;
    }
    request_ = message;
    call_.Keep(head_bytes_ + message.size());
  }
  void OnHalfClose() override {
    if (!request_.has_value()) {
      call_.Finish({GrpcCode::kUnimplemented, "the call ended without a request"});
      return;
    }
    call_.HasRequest();
    answering_ = true;
    const std::string request = std::exchange(*request_, {});
    call_.Keep(head_bytes_);
    answer_(&call_, request);
  }
  // What has begun gets its answer.
  void OnShutdown() override {
    if (!answering_) call_.Finish(ToGrpcStatus(Outcome::kShutdown));
  }

 private:
  Call& call_;
  Answer answer_;
  const size_t head_bytes_;
  std::optional<std::string> request_;
  bool answering_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_REQUEST_HANDLER_H_
