#include "server/engine/topic_users.h"

#include <utility>

namespace crier {

bool TopicUsers::Add(const std::string& user) {
  if (++users_[user] > 1) return false;
  name_bytes_ += user.size();
  return true;
}

bool TopicUsers::Remove(const std::string& user) {
  const auto found = users_.find(user);
  if (found == users_.end() || --found->second > 0) return false;
  name_bytes_ -= user.size();
  users_.erase(found);
  return true;
}

void TopicUsers::Describe(size_t most, v1::Presence* presence, const TopicUsers* without) const {
  for (const auto& [user, sessions] : users_) {
    if (static_cast<size_t>(presence->users_size()) == most) break;
    if (without == nullptr || !without->Has(user)) presence->add_users(user);
  }
}

size_t TopicUsers::memory() const {
  // A slot of the table and its control byte, at a load of a half.
  constexpr size_t kOfUser = 2 * (sizeof(std::pair<std::string, uint32_t>) + 1);
  return users_.size() * kOfUser + name_bytes_;
}

}  // namespace crier
