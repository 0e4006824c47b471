// crier.v1.Messaging: its calls, as work for the engine.
#ifndef CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_
#define CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include "crier/v1/messaging.grpc.pb.h"
#include "server/engine/engine.h"
#include "server/grpc/shard_streams.h"

namespace crier {

// The streams, and History, take and give bytes rather than messages, because the engine's logs
// already hold what they send.
using RawMessagingService = v1::Messaging::WithRawCallbackMethod_Connect<
    v1::Messaging::WithRawCallbackMethod_Subscribe<v1::Messaging::WithRawCallbackMethod_History<
        v1::Messaging::WithCallbackMethod_Publish<v1::Messaging::Service>>>>;

// Runs on: any thread of gRPC, all calls. Each hands its work to a shard and returns.
class MessagingService final : public RawMessagingService {
 public:
  // `engine` and `streams` (one per shard, in their order) outlive the calls.
  // `max_metadata_bytes`: see GrpcOptions.
  MessagingService(Engine* engine, std::vector<ShardStreams*> streams, size_t max_metadata_bytes)
      : engine_(*engine), streams_(std::move(streams)), max_metadata_bytes_(max_metadata_bytes) {}

  // Refuses new sessions from now on, with SHUTDOWN. Thread-safe.
  void RefuseSessions() { refusing_.store(true, std::memory_order_relaxed); }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Connect(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Subscribe(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context,
                                    const v1::PublishRequest* request,
                                    v1::PublishResponse* response) override;
  grpc::ServerUnaryReactor* History(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;

 private:
  // OK: the call may go on.
  grpc::Status CheckCall(const grpc::CallbackServerContext& context) const;
  // The same for calls that become sessions.
  grpc::Status CheckSession(const grpc::CallbackServerContext& context) const;
  ShardStreams* NextStreams() { return streams_[engine_.NextShard().index()]; }

  Engine& engine_;
  const std::vector<ShardStreams*> streams_;
  const size_t max_metadata_bytes_;
  std::atomic<bool> refusing_{false};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_
