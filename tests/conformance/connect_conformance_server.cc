// The server under test of the Connect project's conformance suite
// (connectrpc.conformance.v1.ConformanceService), on server/'s own parts: its streams by gRPC, its
// unary methods by gRPC or by HTTP. The suite starts it, and tells it on standard input what to be.
#include <google/protobuf/any.pb.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectrpc/conformance/v1/server_compat.pb.h"
#include "connectrpc/conformance/v1/service.pb.h"
#include "google/rpc/status.pb.h"
#include "server/base/concat.h"
#include "server/grpc/timeout.h"
#include "tests/conformance/connect_conformance_unary.h"
#include "tests/conformance/method_server.h"

namespace crier::testing {
namespace {

namespace v1 = connectrpc::conformance::v1;
using std::chrono::milliseconds;

// What tells the methods apart. On the wire their requests have their fields in common, and so have
// their responses.
struct Method {
  std::string_view name;
  std::string_view request_type;
  bool one_request;
  bool one_response;
};
constexpr Method kMethods[] = {
    {"ServerStream", "ServerStreamRequest", true, false},
    {"ClientStream", "ClientStreamRequest", false, true},
    {"BidiStream", "BidiStreamRequest", false, false},
};

class ConformanceCall final : public CallHandler {
 public:
  ConformanceCall(Call* call, const Method& method) : call_(*call), method_(method) {
    CallFields fields;
    for (const auto& field : call->head().fields) {
      if (!field.first.starts_with(':')) fields.push_back(field);
    }
    head_ = RequestInfoOf(fields, ParseGrpcTimeout(call->head().Find("grpc-timeout")));
  }

  void OnMessage(std::string_view message) override {
    const bool first = std::exchange(asked_, true) == false;
    if (!first && method_.one_request) {
      return call_.Finish({GrpcCode::kUnimplemented, "a second request"});
    }
    google::protobuf::Any& request = requests_.emplace_back();
    request.set_type_url(
        Concat({"type.googleapis.com/connectrpc.conformance.v1.", method_.request_type}));
    request.set_value(std::string(message));
    if (first && !Define(message)) return call_.Finish({GrpcCode::kInternal, "no such request"});
    if (full_duplex_) RespondToOne();
  }

  void OnHalfClose() override {
    if (!asked_ && method_.one_request) {
      return call_.Finish({GrpcCode::kUnimplemented, "no request"});
    }
    if (method_.one_response) return AfterDelay([this] { RespondOnce(); });
    if (responses_ > 0) call_.SendHead();
    SendRest();
  }

  void OnShutdown() override { call_.Finish(ToGrpcStatus(Outcome::kShutdown)); }

 private:
  // Takes the definition of the responses.
  bool Define(std::string_view message) {
    const int size = static_cast<int>(message.size());
    if (method_.one_response) {
      v1::UnaryRequest request;
      if (!request.ParseFromArray(message.data(), size)) return false;
      once_ = std::move(*request.mutable_response_definition());
      Add(once_.response_headers(), once_.response_trailers());
      delay_ = milliseconds(once_.response_delay_ms());
      return true;
    }
    if (method_.one_request) {
      v1::ServerStreamRequest request;
      if (!request.ParseFromArray(message.data(), size)) return false;
      stream_ = std::move(*request.mutable_response_definition());
    } else {
      v1::BidiStreamRequest request;
      if (!request.ParseFromArray(message.data(), size)) return false;
      stream_ = std::move(*request.mutable_response_definition());
      full_duplex_ = request.full_duplex();
    }
    responses_ = stream_.response_data_size();
    Add(stream_.response_headers(), stream_.response_trailers());
    delay_ = milliseconds(stream_.response_delay_ms());
    if (full_duplex_ && responses_ > 0) call_.SendHead();
    return true;
  }

  template <class Headers>
  void Add(const Headers& headers, const Headers& trailers) {
    for (const v1::Header& header : headers) {
      for (const std::string& value : header.value())
        call_.AddHeader(LowerCase(header.name()), value);
    }
    for (const v1::Header& trailer : trailers) {
      for (const std::string& value : trailer.value()) {
        call_.AddTrailer(LowerCase(trailer.name()), value);
      }
    }
  }

  // Nothing of the call is read meanwhile.
  void AfterDelay(std::function<void()> action) {
    if (delay_.count() == 0) return action();
    call_.PauseReading();
    After(&call_, delay_, [this, action = std::move(action)] {
      call_.ResumeReading();
      action();
    });
  }

  v1::ConformancePayload::RequestInfo Info() {
    v1::ConformancePayload::RequestInfo info = sent_ == 0 ? head_ : decltype(head_)();
    for (google::protobuf::Any& request : std::exchange(requests_, {})) {
      *info.add_requests() = std::move(request);
    }
    return info;
  }

  void Finish(const v1::Error& error) {
    GrpcStatus status;
    status.code = error.code();
    status.message = error.message();
    google::rpc::Status details;
    details.set_code(error.code());
    details.set_message(error.message());
    *details.mutable_details() = error.details();
    if (sent_ == 0) details.add_details()->PackFrom(Info());
    if (details.details_size() > 0) status.details = details.SerializeAsString();
    call_.Finish(std::move(status));
  }

  void RespondOnce() {
    if (once_.has_error()) return Finish(once_.error());
    v1::UnaryResponse response;
    response.mutable_payload()->set_data(once_.response_data());
    *response.mutable_payload()->mutable_request_info() = Info();
    call_.Send(response.SerializeAsString());
    call_.Finish({});
  }

  void SendNext() {
    v1::ServerStreamResponse response;
    response.mutable_payload()->set_data(stream_.response_data(sent_));
    if (sent_ == 0 || full_duplex_) *response.mutable_payload()->mutable_request_info() = Info();
    ++sent_;
    call_.Send(response.SerializeAsString());
  }

  void RespondToOne() {
    if (sent_ < responses_) return AfterDelay([this] { SendNext(); });
    End();
  }

  void SendRest() {
    full_duplex_ = false;
    if (sent_ == responses_) return End();
    AfterDelay([this] {
      SendNext();
      SendRest();
    });
  }

  void End() {
    if (stream_.has_error()) return Finish(stream_.error());
    call_.Finish({});
  }

  Call& call_;
  const Method& method_;
  v1::ConformancePayload::RequestInfo head_;
  std::vector<google::protobuf::Any> requests_;  // since the last response
  bool asked_ = false;
  v1::UnaryResponseDefinition once_;
  v1::StreamResponseDefinition stream_;
  bool full_duplex_ = false;
  int responses_ = 0;
  int sent_ = 0;
  milliseconds delay_{0};
};

// The suite's messages on standard input and output begin with four bytes of length.
bool ReadMessage(google::protobuf::MessageLite* message) {
  unsigned char prefix[4];
  if (!std::cin.read(reinterpret_cast<char*>(prefix), 4)) return false;
  uint32_t size = 0;
  for (const unsigned char byte : prefix) size = size << 8 | byte;
  std::string bytes(size, '\0');
  return std::cin.read(bytes.data(), static_cast<std::streamsize>(size)) &&
         message->ParseFromString(bytes);
}

void WriteMessage(const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  for (int shift = 24; shift >= 0; shift -= 8) {
    std::cout.put(static_cast<char>(bytes.size() >> shift));
  }
  std::cout << bytes << std::flush;
}

int Run() {
  HoldSignals();
  v1::ServerCompatRequest asked;
  if (!ReadMessage(&asked)) {
    std::cerr << "the suite starts this program, and says on standard input what to serve\n";
    return 1;
  }
  const size_t limit = asked.message_receive_limit() == 0 ? 4 << 20 : asked.message_receive_limit();
  MethodServer::Options options;
  options.grpc.max_receive_bytes = limit;
  options.http.max_message_bytes = limit;
  UnaryMethods unary;
  AddConformanceMethods(&unary);
  MethodServer server(options, std::move(unary));
  for (const Method& method : kMethods) {
    server.methods().Add(
        Concat({"/connectrpc.conformance.v1.ConformanceService/", method.name}),
        [&method](Call* call) { return std::make_unique<ConformanceCall>(call, method); });
  }
  const bool http = asked.http_version() == v1::HTTP_VERSION_1;
  if (const absl::Status status = http ? server.StartHttp(0) : server.Start(0); !status.ok()) {
    std::cerr << status << '\n';
    return 1;
  }
  v1::ServerCompatResponse started;
  started.set_host("127.0.0.1");
  started.set_port(static_cast<uint32_t>(server.port()));
  WriteMessage(started);
  WaitForSignal();
  return 0;
}

}  // namespace
}  // namespace crier::testing

int main() { return crier::testing::Run(); }
