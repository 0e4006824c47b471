#include "client/grpc_client.h"

#include <utility>

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
  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  std::unique_ptr<GrpcClient> client(new GrpcClient);
  client->stub_ = v1::Messaging::NewStub(channel);
  if (!options.user.empty()) client->context_.AddMetadata("crier-user-id", options.user);
  client->stream_ = client->stub_->AsyncConnect(&client->context_, &client->queue_,
                                                reinterpret_cast<void*>(kStart));
  bool ok = false;
  if (client->Next(deadline, &ok) != kStart) {
    return absl::UnavailableError(Concat("cannot connect to ", address, ": no answer"));
  }
  if (!ok) return client->Finish();
  client->StartRead();
  // Welcome, the first event, is the proof of a session.
  absl::StatusOr<v1::Event> first = client->Receive(deadline);
  if (absl::IsDeadlineExceeded(first.status())) {
    return absl::UnavailableError(Concat(address, " does not greet; is it a crier?"));
  }
  if (!first.ok()) return first.status();
  client->events_.push_front(*std::move(first));
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
  // `status` is written to when the tag comes back, so that is waited for in any case.
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
  // The server may well go on sending after that; the client leaves by cancelling.
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
  if (address.empty()) return absl::InvalidArgumentError("no address; right is HOST:PORT");
  return GrpcClient::Connect(address, options);
}

}  // namespace crier::client
