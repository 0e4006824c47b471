// The two kinds of streaming call, as reactors: they bind gRPC's callbacks to StreamSession, which
// has all the logic.
#ifndef CRIER_SERVER_GRPC_CALL_STREAMS_H_
#define CRIER_SERVER_GRPC_CALL_STREAMS_H_

#include <grpcpp/support/server_callback.h>

#include <cassert>
#include <string>
#include <utility>
#include <vector>

#include "server/grpc/stream_session.h"

namespace crier {

using ConnectReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
using SubscribeReactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

// What both have. Each object deletes itself (see StreamSession).
template <typename Reactor>
class CallStream : public StreamSession, public Reactor {
 protected:
  CallStream(ShardStreams* streams, grpc::CallbackServerContext* context)
      : StreamSession(streams), context_(*context) {}

 private:
  void OnWriteDone(bool ok) override { WriteDone(ok); }
  void OnCancel() override { Cancelled(); }
  void OnDone() override { Done(); }

  void StartWriting(const grpc::ByteBuffer* buffer) override { Reactor::StartWrite(buffer); }
  void FinishCall(const grpc::Status& status) override { Reactor::Finish(status); }
  void CancelCall() override { context_.TryCancel(); }

  grpc::CallbackServerContext& context_;
};

class ConnectStream final : public CallStream<ConnectReactor> {
 public:
  // `user_id`: empty: the client may name it in what it sends.
  static ConnectReactor* Start(ShardStreams* streams, grpc::CallbackServerContext* context,
                               std::string user_id) {
    auto* stream = new ConnectStream(streams, context);
    stream->Open(std::move(user_id), {});
    return stream;
  }

 private:
  using CallStream::CallStream;
  void OnReadDone(bool ok) override { ReadDone(ok); }
  void StartReading(grpc::ByteBuffer* buffer) override { StartRead(buffer); }
};

class SubscribeStream final : public CallStream<SubscribeReactor> {
 public:
  // `frames`: what the request asks for.
  static SubscribeReactor* Start(ShardStreams* streams, grpc::CallbackServerContext* context,
                                 std::string user_id, std::vector<v1::ClientFrame> frames) {
    auto* stream = new SubscribeStream(streams, context);
    stream->Open(std::move(user_id), std::move(frames));
    return stream;
  }

 private:
  using CallStream::CallStream;
  // All that the client has to say came with the request.
  void StartReading(grpc::ByteBuffer*) override {}
};

// A call that is refused before it becomes a session.
template <typename Reactor>
class RefusedCall final : public Reactor {
 public:
  static Reactor* Start(const grpc::Status& status) {
    auto* call = new RefusedCall;
    call->Finish(status);
    return call;
  }

 private:
  void OnDone() override { delete this; }
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_CALL_STREAMS_H_
