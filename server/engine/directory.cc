#include "server/engine/directory.h"

#include <algorithm>

namespace crier {

bool Directory::Add(std::string_view user, SessionRef session, size_t most) {
  auto& refs = sessions_[user];
  if (most != 0 && refs.size() >= most) return false;
  refs.push_back(session);
  return true;
}

void Directory::Remove(std::string_view user, SessionRef session) {
  const auto found = sessions_.find(user);
  if (found == sessions_.end()) return;
  auto& refs = found->second;
  refs.erase(std::remove(refs.begin(), refs.end(), session), refs.end());
  if (refs.empty()) sessions_.erase(found);
}

std::span<const SessionRef> Directory::Find(std::string_view user) const {
  const auto found = sessions_.find(user);
  if (found == sessions_.end()) return {};
  return found->second;
}

}  // namespace crier
