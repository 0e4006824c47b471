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
#include "server/service/caller.h"

namespace crier {

// Nothing is queued here. When the client takes data, the events are pulled from the session, and
// all that have come until then form one message. A client that takes nothing is a cursor that
// lags. Runs on: shard thread, all of it.
class StreamSession : public CallHandler, public Transport {
 public:
  // The call owns this object.
  explicit StreamSession(Call* call) : call_(*call) {}
  // Ends the session, where nothing else has: a handler whose call could not begin.
  ~StreamSession() override;
  StreamSession(const StreamSession&) = delete;
  StreamSession& operator=(const StreamSession&) = delete;

  // Begins the session. If the caller has no user, it may name it in its frames, or bring its token
  // there. `frames` are handled as if the client had sent them first. Call once.
  void Open(Caller caller, std::vector<v1::ClientFrame> frames);

  // --- CallHandler.
  void OnMessage(std::string_view message) override;
  void OnHalfClose() override;
  void OnDrain() override;
  // A ServerFrame of no events, which means nothing to the client.
  void OnIdle() override {
    if (session_ != nullptr) call_.Send(std::string_view());
  }
  void OnShutdown() override { Close(Outcome::kShutdown, {}); }
  void OnOver(Outcome outcome) override { EndSession(outcome); }
  std::span<const Slice> Peek(size_t budget) override;
  void Take(size_t bytes) override;
  void OnCanSend() override;

  // --- Transport.
  void Wake() override;
  void Close(Outcome outcome, std::string_view detail) override;
  void PauseReading() override { call_.PauseReading(); }
  void ResumeReading() override { call_.ResumeReading(); }
  std::string PeerAddress() const override { return call_.PeerAddress(); }

 private:
  void EndSession(Outcome outcome);

  Call& call_;
  Session* session_ = nullptr;
  bool closed_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_STREAM_SESSION_H_
