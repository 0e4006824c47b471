// A gRPC stream as the engine's transport: what Connect and Subscribe have in common.
#ifndef CRIER_SERVER_GRPC_STREAM_SESSION_H_
#define CRIER_SERVER_GRPC_STREAM_SESSION_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/engine/session.h"
#include "server/engine/transport.h"
#include "server/grpc/call.h"

namespace crier {

// Nothing is queued here: what the client is owed is pulled from the session when the client takes
// it, everything that has come until then as one message. A client that takes nothing is a cursor
// that lags. Runs on: shard thread, all of it.
class StreamSession : public CallHandler, public Transport {
 public:
  // The call owns this object.
  explicit StreamSession(Call* call) : call_(*call) {}
  ~StreamSession() override = default;
  StreamSession(const StreamSession&) = delete;
  StreamSession& operator=(const StreamSession&) = delete;

  // Begins the session. `user_id`: empty: the client may name it in what it sends. `frames` are
  // handled as if the client had sent them first. Once.
  void Open(std::string user_id, std::vector<v1::ClientFrame> frames);

  // --- CallHandler.
  void OnMessage(std::string_view message) override;
  void OnShutdown() override { Close(Outcome::kShutdown, {}); }
  void OnOver(Outcome outcome) override { EndSession(outcome); }
  std::span<const Slice> Peek(size_t budget) override;
  void Take(size_t bytes) override;
  void OnCanSend() override;

  // --- Transport.
  void Wake() override;
  void Close(Outcome outcome, std::string_view detail) override;

 private:
  void EndSession(Outcome outcome);

  Call& call_;
  Session* session_ = nullptr;
  bool closed_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_STREAM_SESSION_H_
