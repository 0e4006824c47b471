// The server under test of gRPC's interoperability suite (grpc.testing.TestService; gRPC's
// doc/interop-test-descriptions.md), on server/grpc's own parts. Prints its port, and serves until
// it is told to stop.
#include <chrono>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "internal/testprotos/grpc/test.pb.h"
#include "server/base/concat.h"
#include "server/grpc/request_handler.h"
#include "tests/conformance/method_server.h"

namespace crier::testing {
namespace {

namespace pb = grpc::testing;

void EchoMetadata(Call* call) {
  constexpr std::string_view kInitial = "x-grpc-test-echo-initial";
  constexpr std::string_view kTrailing = "x-grpc-test-echo-trailing-bin";
  if (const auto value = call->head().Find(kInitial); !value.empty()) {
    call->AddHeader(std::string(kInitial), std::string(value));
  }
  if (const auto value = call->head().Find(kTrailing); !value.empty()) {
    call->AddTrailer(std::string(kTrailing), std::string(value));
  }
}

GrpcStatus StatusOf(const pb::EchoStatus& asked) {
  GrpcStatus status;
  status.code = asked.code();
  status.message = asked.message();
  return status;
}

template <class Message>
bool Parse(Call* call, std::string_view bytes, Message* message) {
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return true;
  call->Finish({GrpcCode::kInternal, "the request is not of its type"});
  return false;
}

void AnswerEmpty(Call* call, std::string_view) {
  call->Send("");
  call->Finish({});
}

void AnswerUnary(Call* call, std::string_view bytes) {
  pb::SimpleRequest request;
  if (!Parse(call, bytes, &request)) return;
  if (request.response_status().code() != 0)
    return call->Finish(StatusOf(request.response_status()));
  pb::SimpleResponse response;
  response.mutable_payload()->set_body(
      std::string(static_cast<size_t>(request.response_size()), '\0'));
  call->Send(response.SerializeAsString());
  call->Finish({});
}

// By way of std::function: GCC 12 takes a plain function in AnyInvocable for uninitialized memory.
std::unique_ptr<CallHandler> Answering(Call* call,
                                       std::function<void(Call*, std::string_view)> answer) {
  return std::make_unique<RequestHandler>(call, std::move(answer));
}

class StreamingInput final : public CallHandler {
 public:
  explicit StreamingInput(Call* call) : call_(*call) {}
  void OnMessage(std::string_view message) override {
    pb::StreamingInputCallRequest request;
    if (Parse(&call_, message, &request)) sum_ += request.payload().body().size();
  }
  void OnHalfClose() override {
    pb::StreamingInputCallResponse response;
    response.set_aggregated_payload_size(static_cast<int>(sum_));
    call_.Send(response.SerializeAsString());
    call_.Finish({});
  }
  void OnShutdown() override { call_.Finish(ToGrpcStatus(Outcome::kShutdown)); }

 private:
  Call& call_;
  size_t sum_ = 0;
};

// Answers each request with the messages that it asks for: at once, or once all requests are there.
class StreamingOutput final : public CallHandler {
 public:
  StreamingOutput(Call* call, bool at_once) : call_(*call), at_once_(at_once) {}

  void OnMessage(std::string_view message) override {
    pb::StreamingOutputCallRequest request;
    if (!Parse(&call_, message, &request)) return;
    if (request.response_status().code() != 0) {
      return call_.Finish(StatusOf(request.response_status()));
    }
    for (const auto& response : request.response_parameters()) wanted_.push_back(response);
    if (at_once_) SendNext();
  }
  void OnHalfClose() override {
    ended_ = true;
    SendNext();
  }
  void OnShutdown() override { call_.Finish(ToGrpcStatus(Outcome::kShutdown)); }

 private:
  void SendNext() {
    if (waiting_) return;
    if (wanted_.empty()) {
      if (ended_) call_.Finish({});
      return;
    }
    waiting_ = true;
    const pb::ResponseParameters next = wanted_.front();
    wanted_.pop_front();
    const auto send = [this, size = next.size()] {
      waiting_ = false;
      pb::StreamingOutputCallResponse response;
      response.mutable_payload()->set_body(std::string(static_cast<size_t>(size), '\0'));
      call_.Send(response.SerializeAsString());
      SendNext();
    };
    if (next.interval_us() == 0) return send();
    After(
        &call_,
        std::chrono::ceil<std::chrono::milliseconds>(std::chrono::microseconds(next.interval_us())),
        send);
  }

  Call& call_;
  const bool at_once_;
  std::deque<pb::ResponseParameters> wanted_;
  bool waiting_ = false;
  bool ended_ = false;
};

void Register(MethodTable* methods) {
  const auto add = [methods](std::string_view name, MethodTable::Start start) {
    methods->Add(Concat({"/grpc.testing.TestService/", name}), [start](Call* call) {
      EchoMetadata(call);
      return start(call);
    });
  };
  add("EmptyCall", [](Call* call) { return Answering(call, &AnswerEmpty); });
  add("UnaryCall", [](Call* call) { return Answering(call, &AnswerUnary); });
  add("StreamingInputCall", [](Call* call) { return std::make_unique<StreamingInput>(call); });
  add("StreamingOutputCall",
      [](Call* call) { return std::make_unique<StreamingOutput>(call, false); });
  add("HalfDuplexCall", [](Call* call) { return std::make_unique<StreamingOutput>(call, false); });
  add("FullDuplexCall", [](Call* call) { return std::make_unique<StreamingOutput>(call, true); });
}

int Run() {
  HoldSignals();
  GrpcOptions options;
  options.max_receive_bytes = 4 << 20;
  MethodServer server({.grpc = options});
  Register(&server.methods());
  if (const absl::Status status = server.Start(0); !status.ok()) {
    std::cerr << status << '\n';
    return 1;
  }
  std::cout << server.port() << std::endl;
  WaitForSignal();
  return 0;
}

}  // namespace
}  // namespace crier::testing

int main() { return crier::testing::Run(); }
