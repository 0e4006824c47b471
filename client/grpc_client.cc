#include "client/grpc_client.h"

#include <utility>

#include "client/address.h"
#include "client/tcp_connection.h"
#include "client/text.h"

namespace crier::client {
namespace {

constexpr absl::Duration kSendTimeout = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> GrpcClient::Connect(const std::string& address,
                                                            const ConnectOptions& options) {
  const absl::Time deadline = absl::Now() + options.timeout;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  const auto credentials = GrpcCredentials(options.grpc_tls, options.tls);
  if (!credentials.ok()) return credentials.status();
  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(address, *credentials, arguments);
  std::unique_ptr<GrpcClient> client(new GrpcClient);
  client->stub_ = v1::Messaging::NewStub(channel);
  if (!options.user.empty()) client->context_.AddMetadata("crier-user-id", options.user);
  if (!options.token.empty()) {
    client->context_.AddMetadata("authorization", "Bearer " + options.token);
  }
  client->stream_ = client->stub_->AsyncConnect(&client->context_, &client->queue_,
                                                reinterpret_cast<void*>(kStart));
  bool ok = false;
  if (client->Next(deadline, &ok) != kStart) {
    return absl::UnavailableError(Concat("cannot connect to ", address, ": no answer"));
  }
  if (!ok) return client->Finish();
  client->StartRead();
  // The first event, Welcome, proves that there is a session.
  absl::StatusOr<v1::Event> first = client->Receive(deadline);
  if (absl::IsDeadlineExceeded(first.status())) {
    return absl::UnavailableError(
        Concat(address, " accepts connections but begins no session; is it crier's gRPC port?"));
  }
  if (!first.ok()) return first.status();
  client->events_.push_front(*std::move(first));
  // Until its first frame a session gets nothing of the topic that everyone follows: it may yet ask
  // for older events. This one does not.
  v1::ClientFrame hello;
  hello.mutable_hello();
  if (absl::Status sent = client->Send(hello); !sent.ok()) return sent;
  return std::unique_ptr<Client>(std::move(client));
}

GrpcClient::~GrpcClient() {
  context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

GrpcClient::Step GrpcClient::Next(absl::Time deadline, bool* ok) {
  void* tag = nullptr;
  if (queue_.AsyncNext(&tag, ok, absl::ToChronoTime(deadline)) !=
      grpc::CompletionQueue::GOT_EVENT) {
    return kNone;
  }
  const auto step = static_cast<Step>(reinterpret_cast<intptr_t>(tag));
  if (step == kWrite) write_pending_ = false;
  if (step == kRead) {
    read_pending_ = false;
    if (!*ok) {
      Finish().IgnoreError();
    } else {
      for (v1::Event& event : *incoming_.mutable_events()) events_.push_back(std::move(event));
      StartRead();
    }
  }
  return step;
}

void GrpcClient::StartRead() {
  read_pending_ = true;
  stream_->Read(&incoming_, reinterpret_cast<void*>(kRead));
}

absl::Status GrpcClient::Finish() {
  if (!ended_.ok()) return ended_;
  ended_ = absl::UnavailableError("the stream has ended");
  grpc::Status status;
  stream_->Finish(&status, reinterpret_cast<void*>(kFinish));
  bool ok = false;
  Step step = kWrite;
  // `status` is written when the tag comes back, so this always waits for the tag.
  while (step != kFinish && step != kNone) step = Next(absl::InfiniteFuture(), &ok);
  ended_ = absl::UnavailableError(
      status.ok() ? "the server ended the stream"
                  : Concat(status.error_message(), " (status ", status.error_code(), ")"));
  return ended_;
}

absl::Status GrpcClient::Send(const v1::ClientFrame& frame) {
  const absl::Time deadline = absl::Now() + kSendTimeout;
  bool ok = false;
  while (ended_.ok() && write_pending_) {
    if (Next(deadline, &ok) == kNone) return absl::UnavailableError("the server takes no bytes");
  }
  if (!ended_.ok()) return ended_;
  write_pending_ = true;
  stream_->Write(frame, reinterpret_cast<void*>(kWrite));
  return absl::OkStatus();
}

absl::StatusOr<v1::Event> GrpcClient::Receive(absl::Time deadline) {
  bool ok = false;
  while (events_.empty()) {
    if (!ended_.ok()) return ended_;
    if (Next(deadline, &ok) == kNone) return absl::DeadlineExceededError("nothing came");
  }
  v1::Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void GrpcClient::Close() {
  const absl::Time deadline = absl::Now() + absl::Seconds(1);
  bool ok = false;
  while (ended_.ok() && write_pending_ && Next(deadline, &ok) != kNone) {
  }
  if (!ended_.ok()) return;
  stream_->WritesDone(reinterpret_cast<void*>(kWritesDone));
  // The server may continue to send after that. The client leaves by cancelling.
  while (ended_.ok()) {
    const Step step = Next(deadline, &ok);
    if (step == kNone || step == kWritesDone) break;
  }
  context_.TryCancel();
  // The pending read fails now, and that leads to Finish.
  while (ended_.ok() && Next(deadline, &ok) != kNone) {
  }
  if (ended_.ok()) ended_ = absl::UnavailableError("closed");
}

absl::StatusOr<std::unique_ptr<Client>> ConnectGrpc(const std::string& address,
                                                    const ConnectOptions& options) {
  const absl::StatusOr<HostAndPort> target = ParseHostAndPort(address);
  if (!target.ok()) return target.status();
  absl::StatusOr<std::unique_ptr<Client>> client = GrpcClient::Connect(address, options);
  if (!absl::IsUnavailable(client.status())) return client;
  // The library's own words for a closed port are for its developers.
  return WhyNoSession(target->host, target->port, kGrpcListen, client.status());
}

}  // namespace crier::client
