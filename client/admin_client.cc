#include "client/admin_client.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "client/address.h"
#include "client/tcp_connection.h"
#include "client/text.h"
#include "crier/v1/admin.pb.h"

namespace crier::client {
namespace {

const google::protobuf::ServiceDescriptor& Service() {
  return *v1::ServerInfo::descriptor()->file()->FindServiceByName("Admin");
}

// In lower case, and without what stands between words.
std::string Plain(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c != '-' && c != '_') plain += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return plain;
}

grpc::ByteBuffer BufferOf(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

bool Parse(const grpc::ByteBuffer& buffer, google::protobuf::Message* message) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return false;
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return message->ParseFromString(bytes);
}

// One call, each step waited for.
class GenericCall {
 public:
  GenericCall(grpc::GenericStub* stub, grpc::ClientContext* context, const std::string& path)
      : call_(stub->PrepareCall(context, path, &queue_)) {}
  ~GenericCall() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  GenericCall(const GenericCall&) = delete;
  GenericCall& operator=(const GenericCall&) = delete;

  bool Start(const google::protobuf::Message& request) {
    call_->StartCall(this);
    if (!Await()) return false;
    call_->Write(BufferOf(request), this);
    if (!Await()) return false;
    call_->WritesDone(this);
    return Await();
  }
  bool Read(grpc::ByteBuffer* buffer) {
    call_->Read(buffer, this);
    return Await();
  }
  grpc::Status Finish() {
    grpc::Status status;
    call_->Finish(&status, this);
    Await();
    return status;
  }

 private:
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

}  // namespace

absl::StatusOr<AdminClient> AdminClient::Make(const std::string& address,
                                              const ConnectOptions& options) {
  const absl::StatusOr<HostAndPort> target = ParseHostAndPort(address);
  if (!target.ok()) return target.status();
  const auto credentials = GrpcCredentials(options.grpc_tls, options.tls);
  if (!credentials.ok()) return credentials.status();
  AdminClient client;
  client.host_ = target->host;
  client.port_ = target->port;
  client.token_ = options.token;
  client.timeout_ = options.timeout;
  client.channel_ = grpc::CreateChannel(address, *credentials);
  return client;
}

const google::protobuf::MethodDescriptor* AdminClient::Find(std::string_view name) {
  for (int i = 0; i < Service().method_count(); ++i) {
    if (Plain(Service().method(i)->name()) == Plain(name)) return Service().method(i);
  }
  return nullptr;
}

std::string AdminClient::MethodNames() {
  std::string names;
  for (int i = 0; i < Service().method_count(); ++i) {
    AppendTo(&names, i == 0 ? "" : ", ", Service().method(i)->name());
  }
  return names;
}

absl::Status AdminClient::Call(
    const google::protobuf::MethodDescriptor& method, const google::protobuf::Message& request,
    const std::function<bool(const google::protobuf::Message&)>& on_response) {
  grpc::ClientContext context;
  if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
  if (!method.server_streaming()) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  }
  grpc::GenericStub stub(channel_);
  GenericCall call(&stub, &context, Concat("/", method.service()->full_name(), "/", method.name()));
  const std::unique_ptr<google::protobuf::Message> response(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(method.output_type())
          ->New());
  bool ended_here = false;
  if (call.Start(request)) {
    grpc::ByteBuffer buffer;
    while (!ended_here && call.Read(&buffer)) {
      ended_here = !Parse(buffer, response.get()) || !on_response(*response);
    }
  }
  if (ended_here) context.TryCancel();
  const grpc::Status status = call.Finish();
  if (status.ok() || ended_here) return absl::OkStatus();
  const absl::Status error(static_cast<absl::StatusCode>(status.error_code()),
                           status.error_message());
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return error;
  // The library's own words for a closed port are for its developers.
  return WhyNoSession(host_, port_, kAdminListen, error);
}

absl::Status AdminClient::Call(std::string_view name, const google::protobuf::Message& request,
                               google::protobuf::Message* response) {
  return Call(*Find(name), request, [response](const google::protobuf::Message& answer) {
    response->CopyFrom(answer);
    return true;
  });
}

}  // namespace crier::client
