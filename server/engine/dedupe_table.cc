#include "server/engine/dedupe_table.h"

#include <utility>

namespace crier {

const PublishResult* DedupeTable::Find(std::string_view key, TimePoint now) {
  Expire(now);
  const auto found = results_.find(key);
  return found == results_.end() ? nullptr : &found->second;
}

void DedupeTable::Remember(std::string key, const PublishResult& result, TimePoint now) {
  if (by_age_.size() == most_) {
    results_.erase(by_age_.front().key);
    by_age_.pop_front();
  }
  by_age_.push_back({.at = now, .key = key});
  results_.emplace(std::move(key), result);
}

void DedupeTable::Expire(TimePoint now) {
  while (!by_age_.empty() && now - by_age_.front().at > window_) {
    results_.erase(by_age_.front().key);
    by_age_.pop_front();
  }
}

std::string DedupeTable::Key(std::string_view publisher, std::string_view id) {
  // The length keeps ("ab", "c") and ("a", "bc") apart.
  std::string key = std::to_string(publisher.size());
  key.append(":").append(publisher).append(id);
  return key;
}

}  // namespace crier
