#include "client/bench/grpc_swarm.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "client/address.h"
#include "client/bench/bench_clock.h"
#include "client/text.h"

namespace crier::bench {
namespace {

constexpr char kMethod[] = "/crier.v1.Messaging/Connect";
constexpr int64_t kNap = 50'000;
// The most tags handled in one Poll, so that messages that are due do not wait long.
constexpr int kBatch = 64;

gpr_timespec GprDeadline(int64_t wait_ns) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait_ns, GPR_TIMESPAN));
}

SessionEnd EndOf(const grpc::Status& status, bool was_open, const std::string& protocol_error) {
  SessionEnd end;
  if (!protocol_error.empty()) return {SessionEnd::Kind::kProtocol, protocol_error};
  end.what = Concat("status ", status.error_code(), " ", status.error_message());
  if (!was_open) {
    end.kind = status.error_code() == grpc::StatusCode::UNAVAILABLE
                   ? SessionEnd::Kind::kConnectFailed
                   : SessionEnd::Kind::kRefused;
  } else {
    end.kind = status.error_code() == grpc::StatusCode::UNAVAILABLE ? SessionEnd::Kind::kLost
                                                                    : SessionEnd::Kind::kClosed;
  }
  return end;
}

// A ClientFrame with an empty Hello.
grpc::ByteBuffer EmptyHello() {
  const grpc::Slice bytes(std::string("\x0a\x00", 2));
  return grpc::ByteBuffer(&bytes, 1);
}

}  // namespace

GrpcSwarm::GrpcSwarm(const SwarmOptions& options,
                     std::shared_ptr<grpc::ChannelCredentials> credentials, SwarmHandler* handler)
    : handler_(handler),
      authorization_(options.token.empty() ? "" : Concat("Bearer ", options.token)),
      topics_(options.topics),
      slots_(options.slots, nullptr) {
  for (uint32_t i = 0; i < std::max(options.connections, 1u); ++i) {
    grpc::ChannelArguments arguments;
    // Channels with equal arguments would share one connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt("crier.bench.channel", static_cast<int>(i));
    arguments.SetMaxReceiveMessageSize(-1);
    stubs_.push_back(std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(options.grpc_address, credentials, arguments)));
  }
}

GrpcSwarm::~GrpcSwarm() {
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) Leave(slot, 1000);
  Tag* tag = nullptr;
  bool ok = false;
  while (!calls_.empty() && Next(NowNs() + 5 * kSecond, &tag, &ok)) Handle(tag, ok);
  queue_.Shutdown();
  while (queue_.Next(reinterpret_cast<void**>(&tag), &ok)) {
  }
  for (Call* call : calls_) delete call;
}

void GrpcSwarm::Open(uint32_t slot) {
  auto* call = new Call;
  calls_.insert(call);
  slots_[slot] = call;
  call->slot = slot;
  call->opened_at = NowNs();
  for (const Step step : {Step::kStart, Step::kRead, Step::kWrite, Step::kFinish}) {
    call->tags[static_cast<int>(step)] = Tag{call, step};
  }
  call->context.AddMetadata("crier-user-id", Concat(slot));
  if (!authorization_.empty()) call->context.AddMetadata("authorization", authorization_);
  call->stream = stubs_[slot % stubs_.size()]->PrepareCall(&call->context, kMethod, &queue_);
  ++call->pending;
  call->stream->StartCall(&call->tags[static_cast<int>(Step::kStart)]);
}

bool GrpcSwarm::is_open(uint32_t slot) const {
  return slots_[slot] != nullptr && slots_[slot]->open;
}

bool GrpcSwarm::Next(int64_t deadline, Tag** tag, bool* ok) {
  void* raw = nullptr;
  while (true) {
    const int64_t wait = deadline - NowNs();
    const bool nap = wait > 0 && wait < kMillisecond;
    const auto status = queue_.AsyncNext(
        &raw, ok, GprDeadline(nap ? 0 : std::max<int64_t>(wait - kMillisecond, 0)));
    if (status == grpc::CompletionQueue::GOT_EVENT) {
      *tag = static_cast<Tag*>(raw);
      return true;
    }
    if (wait <= 0 || status == grpc::CompletionQueue::SHUTDOWN) return false;
    if (nap) {
      const timespec pause = {0, std::min(wait, kNap)};
      nanosleep(&pause, nullptr);
    }
  }
}

void GrpcSwarm::Poll(int64_t deadline) {
  Tag* tag = nullptr;
  bool ok = false;
  int handled = 0;
  while (handled < kBatch && Next(handled == 0 ? deadline : 0, &tag, &ok)) {
    Handle(tag, ok);
    ++handled;
  }
}

void GrpcSwarm::Handle(Tag* tag, bool ok) {
  Call* call = tag->call;
  --call->pending;
  switch (tag->step) {
    case Step::kStart:
      call->started = ok;
      if (ok) {
        // Until its first frame a session gets nothing of the topic that everyone follows.
        call->outgoing.push_front(EmptyHello());
        StartRead(call);
        Flush(call);
      } else {
        StartFinish(call);
      }
      break;
    case Step::kRead:
      call->read_pending = false;
      if (ok && !call->left) Consume(call);
      if (!ok) {
        StartFinish(call);
      } else if (call->left || call->reading || call->credit > 0) {
        StartRead(call);
      }
      break;
    case Step::kWrite:
      call->write_pending = false;
      if (!ok) call->outgoing.clear();
      Flush(call);
      if (call->left) CancelWhenWritten(call);
      break;
    case Step::kFinish:
      Finished(call);
      break;
  }
  if (call->pending == 0 && call->slot == UINT32_MAX) {
    calls_.erase(call);
    delete call;
  }
}

void GrpcSwarm::StartRead(Call* call) {
  if (call->read_pending || call->finish_pending || !call->started) return;
  call->read_pending = true;
  ++call->pending;
  call->stream->Read(&call->incoming, &call->tags[static_cast<int>(Step::kRead)]);
}

void GrpcSwarm::StartFinish(Call* call) {
  if (call->finish_pending) return;
  call->finish_pending = true;
  ++call->pending;
  call->stream->Finish(&call->status, &call->tags[static_cast<int>(Step::kFinish)]);
}

void GrpcSwarm::Flush(Call* call) {
  if (call->write_pending || call->finish_pending || !call->started || call->outgoing.empty()) {
    return;
  }
  grpc::ByteBuffer message = std::move(call->outgoing.front());
  call->outgoing.pop_front();
  call->write_pending = true;
  ++call->pending;
  call->stream->Write(message, &call->tags[static_cast<int>(Step::kWrite)]);
}

void GrpcSwarm::Consume(Call* call) {
  const int64_t now = NowNs();
  grpc::Slice slice;
  if (!call->incoming.TrySingleSlice(&slice).ok()) call->incoming.DumpToSingleSlice(&slice);
  call->incoming.Clear();
  bytes_received_ += slice.size();
  if (!call->reading) call->credit -= static_cast<int64_t>(slice.size());
  scanner_.Start(std::string_view(reinterpret_cast<const char*>(slice.begin()), slice.size()));
  if (!call->open) {
    call->open = true;
    handler_->OnOpen(call->slot, now - call->opened_at);
  }
  Delivery delivery;
  while (!call->left) {
    const ProtoScanner::Result result = scanner_.Next(&delivery);
    if (result == ProtoScanner::Result::kEnd) return;
    if (result == ProtoScanner::Result::kInvalid) {
      call->protocol_error = "not a ServerFrame";
      call->context.TryCancel();
      return;
    }
    handler_->OnDelivery(call->slot, delivery, now);
  }
}

void GrpcSwarm::Finished(Call* call) {
  const uint32_t slot = std::exchange(call->slot, UINT32_MAX);
  if (call->left) return;
  slots_[slot] = nullptr;
  handler_->OnEnd(slot, EndOf(call->status, call->open, call->protocol_error));
}

void GrpcSwarm::Send(uint32_t slot, const v1::ClientFrame& frame) {
  Call* call = slots_[slot];
  if (call == nullptr || !call->open) return;
  const std::string bytes = frame.SerializeAsString();
  const grpc::Slice slice(bytes);
  call->outgoing.emplace_back(&slice, 1);
  Flush(call);
}

void GrpcSwarm::Broadcast(uint32_t slot, size_t topic, std::string_view body) {
  frame_.Clear();
  v1::Message* message = frame_.mutable_publish();
  message->set_action_type(v1::BROADCAST);
  message->set_topic(topics_[topic]);
  message->set_body(body.data(), body.size());
  Send(slot, frame_);
}

void GrpcSwarm::Direct(uint32_t slot, std::string_view body) {
  frame_.Clear();
  v1::Message* message = frame_.mutable_publish();
  message->set_action_type(v1::DIRECT);
  message->set_body(body.data(), body.size());
  Send(slot, frame_);
}

void GrpcSwarm::Subscribe(uint32_t slot, size_t topic) {
  frame_.Clear();
  frame_.mutable_subscribe()->set_topic(topics_[topic]);
  Send(slot, frame_);
}

void GrpcSwarm::SetReading(uint32_t slot, bool reading) {
  Call* call = slots_[slot];
  if (call == nullptr) return;
  call->reading = reading;
  if (reading) StartRead(call);
}

void GrpcSwarm::Grant(uint32_t slot, size_t bytes) {
  Call* call = slots_[slot];
  if (call == nullptr) return;
  call->credit += static_cast<int64_t>(bytes);
  if (call->credit > 0) StartRead(call);
}

void GrpcSwarm::Leave(uint32_t slot, uint16_t /*code*/) {
  Call* call = std::exchange(slots_[slot], nullptr);
  if (call == nullptr) return;
  call->left = true;
  CancelWhenWritten(call);
}

void GrpcSwarm::CancelWhenWritten(Call* call) {
  if (call->write_pending) return;
  call->context.TryCancel();
  // A pending start or read fails now and leads to Finish; without one, Finish has to be asked for.
  if (call->started && !call->read_pending) StartFinish(call);
}

absl::StatusOr<std::unique_ptr<Swarm>> MakeGrpcSwarm(const SwarmOptions& options,
                                                     SwarmHandler* handler) {
  const auto target = client::ParseHostAndPort(options.grpc_address);
  if (!target.ok()) return target.status();
  auto credentials = client::GrpcCredentials(options.tls.any(), options.tls);
  if (!credentials.ok()) return credentials.status();
  return std::make_unique<GrpcSwarm>(options, *std::move(credentials), handler);
}

}  // namespace crier::bench
