// What a client may do, where clients are authenticated: the part of the gate that asks who it is.
#ifndef CRIER_SERVER_ENGINE_ACCESS_H_
#define CRIER_SERVER_ENGINE_ACCESS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/auth/authenticator.h"
#include "server/base/clock.h"
#include "server/engine/gate.h"

namespace crier {

// Each returns nullopt, or the refusal, which names the claim that is missing. Their cost is that
// of the grant's patterns. Thread-safe.

// A direct message without `to` comes back to its sender, so anybody may send one.
std::optional<Refusal> CheckPublish(const Grant& grant, const v1::Message& message);
std::optional<Refusal> CheckSubscribe(const Grant& grant, std::string_view topic);
// Who follows a topic, and what was published there, is for those who may follow it.
std::optional<Refusal> CheckPresence(const Grant& grant, std::string_view topic);
std::optional<Refusal> CheckHistory(const Grant& grant, std::string_view topic);

// What a session has of it.
struct SessionAccess {
  // A token costs as much as many messages, so a session may send only so many in a second.
  static constexpr uint32_t kTokensPerSecond = 10;

  Grant grant;
  // It has brought no token yet, and needs one: `grant` means nothing.
  bool awaits_token = false;

  // One more token is taken in by now.
  bool TakeToken(TimePoint now);

  // What it keeps, about: itself, the permissions, an entry among the ends (SessionTable).
  int64_t bytes() const;

 private:
  TimePoint second_begun_{};
  uint32_t tokens_ = 0;  // in this second
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_ACCESS_H_
