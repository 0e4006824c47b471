#include "server/engine/sent_ids.h"

#include <string>

namespace crier {
namespace {

constexpr size_t kSmallTable = 1024;

// Lengths keep ("ab", "c") and ("a", "bc") apart.
NameDigest DigestOf(const SentIds::Key& key) {
  std::string whole;
  whole.reserve(key.publisher.size() + key.target.size() + key.id.size() + 16);
  whole += key.action == v1::DIRECT ? 'd' : 'b';
  for (const std::string_view part : {key.publisher, key.target}) {
    const auto size = static_cast<uint32_t>(part.size());
    whole.append(reinterpret_cast<const char*>(&size), sizeof(size)).append(part);
  }
  return DigestName(whole.append(key.id));
}

}  // namespace

SentIds::~SentIds() {
  memory_.Add(MemoryKind::kIds, -static_cast<int64_t>(by_age_.size() * kBytesEach));
}

std::optional<PublishResult> SentIds::Find(const Key& key, TimePoint now) {
  Expire(now);
  asked_ = DigestOf(key);
  const auto found = numbers_.find(asked_);
  if (found == numbers_.end()) return std::nullopt;
  const First& first = by_age_[found->second - forgotten_];
  if (now - first.at > window_) return std::nullopt;
  return PublishResult{.outcome = Outcome::kOk,
                       .detail = {},
                       .epoch = first.epoch,
                       .offset = first.offset,
                       .recipients = first.recipients,
                       .duplicate = true};
}

void SentIds::Remember(const PublishResult& result, TimePoint now) {
  // Two for one, so that a large table shrinks where memory is short.
  const size_t too_many = memory_.near_limit() ? 2 : by_age_.size() >= most_ ? 1 : 0;
  for (size_t i = 0; i < too_many && !by_age_.empty(); ++i) ForgetOldest();
  numbers_[asked_] = forgotten_ + by_age_.size();
  by_age_.push_back({.key = asked_,
                     .at = now,
                     .epoch = result.epoch,
                     .offset = result.offset,
                     .recipients = result.recipients});
  memory_.Add(MemoryKind::kIds, kBytesEach);
}

void SentIds::Expire(TimePoint now) {
  for (size_t i = 0; i < kMostExpired; ++i) {
    if (by_age_.empty() || now - by_age_.front().at <= window_) return;
    ForgetOldest();
  }
}

void SentIds::ForgetOldest() {
  const auto found = numbers_.find(by_age_.front().key);
  // It may have been remembered anew since.
  if (found != numbers_.end() && found->second == forgotten_) numbers_.erase(found);
  by_age_.pop_front();
  ++forgotten_;
  // The table never gives memory back by itself.
  if (numbers_.capacity() > kSmallTable && numbers_.size() < numbers_.capacity() / 8) {
    numbers_.rehash(0);
  }
  memory_.Add(MemoryKind::kIds, -static_cast<int64_t>(kBytesEach));
}

}  // namespace crier
