// What a session does with what its client sends: the gate, limits on rates and errors, and one
// function for each kind of frame.
#ifndef CRIER_SERVER_ENGINE_FRAME_HANDLER_H_
#define CRIER_SERVER_ENGINE_FRAME_HANDLER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/base/outcome.h"
#include "server/engine/bus.h"
#include "server/engine/gate.h"

namespace crier {

class Session;
class Shard;

// Runs on: the session's shard thread, all of it.
class FrameHandler {
 public:
  // `session` owns this object.
  explicit FrameHandler(Session* session);
  FrameHandler(const FrameHandler&) = delete;
  FrameHandler& operator=(const FrameHandler&) = delete;

  // Session::Handle, Session::Refuse and Session::AllowControlFrame.
  void Handle(v1::ClientFrame frame, const Arrival& arrival, std::optional<size_t> bytes);
  void RefuseReceived(Outcome outcome, std::string_view message, size_t bytes,
                      std::string_view frame_id);
  // An error event for one frame, which counts towards the limit on errors.
  void Refuse(Outcome outcome, std::string_view message, std::string_view frame_id);
  void Refuse(const Refusal& refusal, std::string_view frame_id) {
    Refuse(refusal.outcome, refusal.message, frame_id);
  }
  bool AllowControlFrame();

  // What became of a publish of this session.
  void OnPublished(const PublishReply& reply, const PublishResult& result);

 private:
  void Dispatch(v1::ClientFrame frame, const Arrival& arrival, bool first);
  // Where clients are authenticated: deals with the token that the frame brings. False: the frame
  // is not to be handled; the client was told, or the session is closed.
  bool PassToken(const v1::ClientFrame& frame);
  void HandleHello(const v1::Hello& hello);
  void HandleSubscribe(const v1::Subscribe& subscribe);
  void HandlePresence(const v1::PresenceQuery& query);
  void HandleMessage(v1::Message message, const Arrival& arrival);
  void Echo(v1::Message message, const Arrival& arrival);
  void Publish(v1::Message message, const Arrival& arrival);
  // One frame of so many bytes comes in. False: that is too many, or too much.
  bool TakeRate(TimePoint now, size_t bytes);
  void RefuseRate(std::string_view frame_id);

  Shard& shard() const;

  Session& session_;
  TimePoint errors_since_;
  // The token buckets of TakeRate, and when they were filled last, in milliseconds: of the clock's,
  // modulo 2^32.
  uint32_t filled_at_;
  float frames_left_;
  float bytes_left_;          // below 0 after a message that was longer than what was left
  uint32_t errors_ : 31 = 0;  // since errors_since_
  bool had_first_frame_ : 1 = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_FRAME_HANDLER_H_
