#include "server/engine/presence_tracker.h"

#include <cassert>
#include <utility>

namespace crier {

void PresenceTracker::Begin(uint64_t sessions) {
  if (!std::exchange(begun_, true)) told_sessions_ = sessions;
}

void PresenceTracker::Change(const std::string& user, bool here) {
  if (!begun_) return;
  const auto found = changed_.find(user);
  if (found == changed_.end()) {
    changed_.emplace(user, here);
    changed_bytes_ += user.size();
    joined_ += here ? 1 : 0;
    return;
  }
  // As it was told: who came and went in the meantime is no news.
  assert(found->second != here);
  joined_ -= found->second ? 1 : 0;
  changed_bytes_ -= user.size();
  changed_.erase(found);
}

void PresenceTracker::TakeChange(uint64_t sessions, TimePoint now, v1::PresenceChange* change) {
  change->set_joined_count(joined_);
  change->set_left_count(changed_.size() - joined_);
  if (changed_.size() <= kMostNames) {
    for (const auto& [user, here] : changed_) {
      if (here) {
        change->add_joined(user);
      } else {
        change->add_left(user);
      }
    }
  }
  changed_ = {};
  changed_bytes_ = 0;
  joined_ = 0;
  told_sessions_ = sessions;
  told_at_ = now;
  snapshot_.reset();
}

std::vector<SnapshotAsker> PresenceTracker::TakeWaiting() { return std::exchange(waiting_, {}); }

size_t PresenceTracker::memory() const {
  // A slot of the table and its control byte, at a load of a half.
  constexpr size_t kOfChange = 2 * (sizeof(std::pair<std::string, bool>) + 1);
  return sizeof(PresenceTracker) + changed_.size() * kOfChange + changed_bytes_ +
         elsewhere_.memory() + waiting_.capacity() * sizeof(SnapshotAsker);
}

}  // namespace crier
