// The handler of calls that begin with one request of the client: unary ones, and streams from the
// server.
#ifndef CRIER_SERVER_GRPC_REQUEST_HANDLER_H_
#define CRIER_SERVER_GRPC_REQUEST_HANDLER_H_

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

  // The call owns this object.
  RequestHandler(Call* call, Answer answer) : call_(*call), answer_(std::move(answer)) {}

  void OnMessage(std::string_view message) override {
    if (answer_ == nullptr) {
      call_.Finish({GrpcCode::kInternal, "a second request, where there is one in a call"});
      return;
    }
    std::exchange(answer_, nullptr)(&call_, message);
  }
  void OnHalfClose() override {
    if (answer_ != nullptr) call_.Finish({GrpcCode::kInternal, "a call without its request"});
  }
  void OnShutdown() override { call_.Finish(ToGrpcStatus(Outcome::kShutdown)); }

 private:
  Call& call_;
  Answer answer_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_REQUEST_HANDLER_H_
