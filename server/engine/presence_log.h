// The log of who comes to a topic and who goes, for the sessions that are told (PresenceDesk): a
// topic of the store like others, so that changes are encoded once, bounded and read by cursors as
// messages are. Its name is the topic's behind a byte that is in no UTF-8 text. So no client can
// name it, because the gate lets UTF-8 pass only.
#ifndef CRIER_SERVER_ENGINE_PRESENCE_LOG_H_
#define CRIER_SERVER_ENGINE_PRESENCE_LOG_H_

#include <string>
#include <string_view>

namespace crier {

inline constexpr char kPresenceLogMark = '\xFF';

inline bool IsPresenceLog(std::string_view name) {
  return !name.empty() && name.front() == kPresenceLogMark;
}

inline std::string PresenceLogOf(std::string_view topic) {
  std::string name(1, kPresenceLogMark);
  name.append(topic);
  return name;
}

// The topic itself, where `name` is that of its log of presence; else `name`.
inline std::string_view TopicOf(std::string_view name) {
  if (IsPresenceLog(name)) name.remove_prefix(1);
  return name;
}

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_PRESENCE_LOG_H_
