#include "tests/support/grpc_client.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace crier::testing {
namespace {

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

grpc::ByteBuffer BufferOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::chrono::system_clock::time_point In(std::chrono::milliseconds patience) {
  return std::chrono::system_clock::now() + patience;
}

// Empty: there is none of domain "crier".
google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  if (!details.ParseFromString(status.error_details()) || details.details_size() != 1 ||
      !details.details(0).UnpackTo(&info) || info.domain() != "crier" ||
      details.code() != static_cast<int>(status.error_code())) {
    return {};
  }
  return info;
}

}  // namespace

std::string ReasonOf(const grpc::Status& status) { return InfoOf(status).reason(); }

std::string MetadataOf(const grpc::Status& status, const std::string& key) {
  const google::rpc::ErrorInfo info = InfoOf(status);
  const auto found = info.metadata().find(key);
  return found == info.metadata().end() ? "" : found->second;
}

GrpcStream::GrpcStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                       const Metadata& metadata)
    : stub_(channel) {
  for (const auto& [key, value] : metadata) context_.AddMetadata(key, value);
  call_ = stub_.PrepareCall(&context_, method, &queue_);
  call_->StartCall(reinterpret_cast<void*>(kStart));
}

bool GrpcStream::Started(std::chrono::milliseconds patience) {
  if (!started_) {
    const std::optional<bool> ok = Await(kStart, patience);
    if (!ok.has_value()) return false;
    started_ = true;
    over_ = !*ok;
  }
  return !over_;
}

GrpcStream::~GrpcStream() {
  if (!status_.has_value()) {
    context_.TryCancel();
    Finish();
  }
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) {
  }
}

std::optional<bool> GrpcStream::Await(Tag tag, std::chrono::milliseconds patience) {
  const auto deadline = In(patience);
  while (true) {
    if (const auto it = done_.find(tag); it != done_.end()) {
      const bool ok = it->second;
      done_.erase(it);
      return ok;
    }
    void* completed;
    bool ok;
    if (queue_.AsyncNext(&completed, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) {
      return std::nullopt;
    }
    done_[static_cast<Tag>(reinterpret_cast<intptr_t>(completed))] = ok;
  }
}

bool GrpcStream::Send(const google::protobuf::MessageLite& frame) {
  return SendBytes(frame.SerializeAsString());
}

bool GrpcStream::SendBytes(const std::string& bytes) {
  if (!Started(kPatience)) return false;
  call_->Write(BufferOf(bytes), reinterpret_cast<void*>(kWrite));
  return Await(kWrite).value_or(false);
}

bool GrpcStream::CloseSending() {
  if (!Started(kPatience)) return false;
  call_->WritesDone(reinterpret_cast<void*>(kHalfClose));
  return Await(kHalfClose).value_or(false);
}

bool GrpcStream::Read(std::chrono::milliseconds patience) {
  if (!Started(patience)) return false;
  if (!reading_) {
    call_->Read(&incoming_, reinterpret_cast<void*>(kRead));
    reading_ = true;
  }
  const std::optional<bool> ok = Await(kRead, patience);
  if (!ok.has_value()) return false;
  reading_ = false;
  if (!*ok) {
    over_ = true;
    return false;
  }
  return true;
}

std::string GrpcStream::NextBytes() { return Read(kPatience) ? BytesOf(incoming_) : ""; }

bool GrpcStream::ReadFrame(std::chrono::milliseconds patience) {
  if (!Read(patience)) return false;
  v1::ServerFrame frame;
  EXPECT_TRUE(frame.ParseFromString(BytesOf(incoming_))) << "the server sent no ServerFrame";
  ++frames_;
  events_ += static_cast<size_t>(frame.events_size());
  for (v1::Event& event : *frame.mutable_events()) pending_.push_back(std::move(event));
  return true;
}

std::optional<v1::Event> GrpcStream::Next(std::chrono::milliseconds patience) {
  while (pending_.empty()) {
    if (!ReadFrame(patience)) return std::nullopt;
  }
  v1::Event event = std::move(pending_.front());
  pending_.pop_front();
  return event;
}

v1::Event GrpcStream::Next(v1::Event::EventCase kind) {
  size_t looked_at = 0;
  while (true) {
    for (; looked_at < pending_.size(); ++looked_at) {
      if (pending_[looked_at].event_case() != kind) continue;
      v1::Event event = std::move(pending_[looked_at]);
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(looked_at));
      return event;
    }
    if (!ReadFrame(kPatience)) {
      std::string others;
      for (const v1::Event& event : pending_) others += event.ShortDebugString() + "\n";
      ADD_FAILURE() << "no event of kind " << kind << " came; others were:\n" << others;
      return {};
    }
  }
}

void GrpcStream::Settle() {
  static int count = 0;
  const std::string id = "settle-" + std::to_string(++count);
  v1::ClientFrame ping;
  ping.mutable_ping()->set_id(id);
  ASSERT_TRUE(Send(ping));
  EXPECT_EQ(NextPong().id(), id);
}

grpc::Status GrpcStream::Finish() {
  if (status_.has_value()) return *status_;
  while (Read(kPatience)) {
  }
  grpc::Status status;
  call_->Finish(&status, reinterpret_cast<void*>(kFinish));
  if (!Await(kFinish).has_value()) {
    ADD_FAILURE() << "the call does not end";
    context_.TryCancel();
    Await(kFinish);
  }
  status_ = status;
  return status;
}

std::string GrpcStream::Trailer(const std::string& name) const {
  const auto& trailers = context_.GetServerTrailingMetadata();
  const auto found = trailers.find(name);
  return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
}

GrpcClient::GrpcClient(const std::string& address, const grpc::ChannelArguments& arguments) {
  grpc::ChannelArguments own = arguments;
  // Or channels to the same address would share a connection.
  own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  own.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  channel_ = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), own);
}

std::unique_ptr<GrpcStream> GrpcClient::Connect(const std::string& user, Metadata metadata) {
  if (!user.empty()) metadata.emplace("crier-user-id", user);
  return std::make_unique<GrpcStream>(channel_, "/crier.v1.Messaging/Connect", metadata);
}

std::unique_ptr<GrpcStream> GrpcClient::Subscribe(const v1::SubscribeRequest& request,
                                                  const std::string& user) {
  Metadata metadata;
  if (!user.empty()) metadata.emplace("crier-user-id", user);
  auto stream = std::make_unique<GrpcStream>(channel_, "/crier.v1.Messaging/Subscribe", metadata);
  stream->Send(request);
  stream->CloseSending();
  return stream;
}

grpc::Status GrpcClient::Call(const std::string& method, const std::string& request,
                              std::string* response, const Metadata& metadata) {
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  context.set_deadline(In(kPatience));
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer sent = BufferOf(request);
  const auto call = stub.PrepareUnaryCall(&context, method, sent, &queue);
  call->StartCall();
  grpc::ByteBuffer received;
  grpc::Status status;
  call->Finish(&received, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (status.ok()) *response = BytesOf(received);
  return status;
}

grpc::Status GrpcClient::Publish(const v1::Message& message, v1::PublishResponse* response,
                                 const std::string& user) {
  v1::PublishRequest request;
  *request.mutable_message() = message;
  Metadata metadata;
  if (!user.empty()) metadata.emplace("crier-user-id", user);
  std::string bytes;
  grpc::Status status =
      Call("/crier.v1.Messaging/Publish", request.SerializeAsString(), &bytes, metadata);
  EXPECT_TRUE(response->ParseFromString(bytes));
  return status;
}

grpc::Status GrpcClient::History(const v1::HistoryRequest& request, v1::HistoryResponse* response) {
  std::string bytes;
  grpc::Status status = Call("/crier.v1.Messaging/History", request.SerializeAsString(), &bytes);
  EXPECT_TRUE(response->ParseFromString(bytes));
  return status;
}

std::string GrpcClient::Health(const std::string& service) {
  // grpc/health/v1/health.proto: the request has one field, 1, the service's name; the response has
  // one, 1, an enum.
  std::string request;
  if (!service.empty()) {
    request = "\x0a";
    request += static_cast<char>(service.size());
    request += service;
  }
  std::string bytes;
  const grpc::Status status = Call("/grpc.health.v1.Health/Check", request, &bytes);
  if (!status.ok()) return "status " + std::to_string(status.error_code());
  const int serving = bytes.size() == 2 ? bytes[1] : 0;
  return serving == 1 ? "SERVING" : serving == 2 ? "NOT_SERVING" : "UNKNOWN";
}

}  // namespace crier::testing
