// The one place that checks what comes in.
//
// Every frame and request of every transport passes one of the functions here, its metadata and
// query included. They make it valid in every field (present where it has to be, valid UTF-8, not
// too long, no unknown fields), or say which field is not. Nothing behind them checks again.
#ifndef CRIER_SERVER_ENGINE_GATE_H_
#define CRIER_SERVER_ENGINE_GATE_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "crier/v1/message.pb.h"
#include "server/base/outcome.h"
#include "server/engine/options.h"

namespace crier {

// Why something does not pass, in words for who sent it: what is wrong, and what would be right.
struct Refusal {
  Outcome outcome;
  std::string message;
};

// The name of a user that has passed the gate: UTF-8, at most kMaxBytes. Empty: nobody.
class UserId {
 public:
  // A user's name is a key like a topic's.
  static constexpr size_t kMaxBytes = 255;

  UserId() = default;
  static std::variant<UserId, Refusal> Admit(std::string name);

  const std::string& str() const { return name_; }
  bool empty() const { return name_.empty(); }

 private:
  explicit UserId(std::string name) : name_(std::move(name)) {}
  std::string name_;
};

// A frame of a session. On nullopt *frame is valid in every field.
std::optional<Refusal> AdmitFrame(v1::ClientFrame* frame, const EngineOptions& options);

// A message that is published without a session, which nobody could answer.
std::optional<Refusal> AdmitPublish(v1::Message* message, const EngineOptions& options);

// The topic of a request that is no frame.
std::optional<Refusal> AdmitTopic(std::string_view topic, const EngineOptions& options);

// The id of a frame that has not passed, as far as it can be sent back: cut where it is no UTF-8,
// or too long, never inside a character.
std::string_view IdOf(const v1::ClientFrame& frame, const EngineOptions& options);
// The same for any id.
std::string_view SendableId(std::string_view id, const EngineOptions& options);

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_GATE_H_
