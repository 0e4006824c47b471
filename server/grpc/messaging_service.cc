#include "server/grpc/messaging_service.h"

#include <grpc/slice.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "server/grpc/call_streams.h"
#include "server/grpc/status.h"

namespace crier {
namespace {

// The most events that one History call returns, whatever it asks for.
constexpr uint32_t kMaxHistoryEvents = 1000;

// The user whom the call's metadata names; empty: none.
std::string UserOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto it = metadata.find("crier-user-id");
  if (it == metadata.end()) return {};
  return std::string(it->second.data(), it->second.size());
}

template <typename Request>
bool Parse(const grpc::ByteBuffer& buffer, Request* request) {
  grpc::ByteBuffer shared(buffer);  // the reader wants a buffer that it may change
  grpc::ProtoBufferReader reader(&shared);
  return reader.status().ok() && request->ParseFromZeroCopyStream(&reader);
}

grpc::Status BadRequest(std::string_view type) {
  return ToGrpcStatus(Outcome::kInvalidMessage,
                      "the request is not a " + std::string(type) + " in protobuf's encoding");
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

// A slice that takes over a string's bytes.
grpc::Slice SliceOf(std::string bytes) {
  auto* owned = new std::string(std::move(bytes));
  return grpc::Slice(grpc_slice_new_with_user_data(
                         owned->data(), owned->size(),
                         [](void* string) { delete static_cast<std::string*>(string); }, owned),
                     grpc::Slice::STEAL_REF);
}

// The range as the bytes of a HistoryResponse: the events as they are in the log, the rest behind.
grpc::ByteBuffer Encode(HistoryRange range) {
  v1::HistoryResponse rest;
  rest.set_epoch(range.epoch);
  rest.set_tail(range.tail);
  rest.set_head(range.head);
  const std::array<grpc::Slice, 2> slices = {SliceOf(std::move(range.events)),
                                             grpc::Slice(rest.SerializeAsString())};
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace

grpc::Status MessagingService::CheckCall(const grpc::CallbackServerContext& context) const {
  // RFC 9113, section 6.5.2: an entry counts 32 bytes beside its name and value.
  constexpr size_t kEntryOverhead = 32;
  size_t bytes = 0;
  for (const auto& [name, value] : context.client_metadata()) {
    bytes += name.size() + value.size() + kEntryOverhead;
  }
  if (bytes <= max_metadata_bytes_) return grpc::Status::OK;
  return ToGrpcStatus(Outcome::kMessageTooBig, "metadata of " + std::to_string(bytes) +
                                                   " bytes; the limit is " +
                                                   std::to_string(max_metadata_bytes_));
}

grpc::Status MessagingService::CheckSession(const grpc::CallbackServerContext& context) const {
  if (refusing_.load(std::memory_order_relaxed)) return ToGrpcStatus(Outcome::kShutdown);
  return CheckCall(context);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* MessagingService::Connect(
    grpc::CallbackServerContext* context) {
  if (const grpc::Status status = CheckSession(*context); !status.ok()) {
    return RefusedCall<ConnectReactor>::Start(status);
  }
  return ConnectStream::Start(NextStreams(), context, UserOf(*context));
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* MessagingService::Subscribe(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  using Refused = RefusedCall<SubscribeReactor>;
  if (const grpc::Status status = CheckSession(*context); !status.ok()) {
    return Refused::Start(status);
  }
  v1::SubscribeRequest parsed;
  if (!Parse(*request, &parsed)) return Refused::Start(BadRequest("crier.v1.SubscribeRequest"));
  std::string user_id = UserOf(*context);
  if (user_id.empty()) user_id = std::move(*parsed.mutable_user_id());
  return SubscribeStream::Start(NextStreams(), context, std::move(user_id),
                                FramesOf(std::move(parsed)));
}

grpc::ServerUnaryReactor* MessagingService::Publish(grpc::CallbackServerContext* context,
                                                    const v1::PublishRequest* request,
                                                    v1::PublishResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (const grpc::Status status = CheckCall(*context); !status.ok()) {
    reactor->Finish(status);
    return reactor;
  }
  if (!request->has_message()) {
    reactor->Finish(ToGrpcStatus(Outcome::kInvalidMessage, "message is missing: set it"));
    return reactor;
  }
  v1::Message message = request->message();
  if (message.user_id().empty()) message.set_user_id(UserOf(*context));
  engine_.Publish(std::move(message), [reactor, response, topic = request->message().topic()](
                                          const PublishResult& result) {
    if (result.outcome != Outcome::kOk) {
      reactor->Finish(ToGrpcStatus(result.outcome, result.detail));
      return;
    }
    response->set_topic(topic);
    response->set_epoch(result.epoch);
    response->set_offset(result.offset);
    response->set_recipients(result.recipients);
    response->set_duplicate(result.duplicate);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* MessagingService::History(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (const grpc::Status status = CheckCall(*context); !status.ok()) {
    reactor->Finish(status);
    return reactor;
  }
  v1::HistoryRequest parsed;
  if (!Parse(*request, &parsed)) {
    reactor->Finish(BadRequest("crier.v1.HistoryRequest"));
    return reactor;
  }
  const uint32_t wanted = parsed.max_events();
  const uint32_t max_events =
      wanted == 0 || wanted > kMaxHistoryEvents ? kMaxHistoryEvents : wanted;
  engine_.History(parsed.topic(), parsed.from(), max_events,
                  [reactor, response](HistoryRange range) {
                    grpc::ByteBuffer encoded = Encode(std::move(range));
                    response->Swap(&encoded);
                    reactor->Finish(grpc::Status::OK);
                  });
  return reactor;
}

}  // namespace crier
