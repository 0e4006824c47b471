// The limits that a client's frames have to keep, checked in one place for both transports.
#ifndef CRIER_SERVER_ENGINE_FRAME_CHECKS_H_
#define CRIER_SERVER_ENGINE_FRAME_CHECKS_H_

#include <optional>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/base/outcome.h"
#include "server/engine/options.h"

namespace crier {

// Why a frame is refused, and what would be right.
struct Refusal {
  Outcome outcome;
  std::string message;
};

// nullopt: nothing wrong. Thread-safe.
std::optional<Refusal> CheckMessage(const v1::Message& message, const EngineOptions& options);
std::optional<Refusal> CheckTopic(std::string_view topic, const EngineOptions& options);
std::optional<Refusal> CheckUser(std::string_view user_id);
std::optional<Refusal> CheckId(std::string_view id, const EngineOptions& options);

// Takes out what this server's model does not know of: it goes to others unchecked, over every
// limit, and nested so deep that a receiver's parser gives up on the whole event.
void DropUnknownFields(v1::Message* message);

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_FRAME_CHECKS_H_
