#include "server/net/address_rates.h"

#include <algorithm>
#include <utility>

namespace crier {

bool TokenBucket::Take(uint32_t rate, TimePoint now) {
  const auto most = static_cast<float>(rate) * kBurst.count();
  tokens_ = std::min(
      most, tokens_ + static_cast<float>(rate) * static_cast<float>(Seconds(now - since_)));
  since_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

AddressRates::Verdict AddressRates::Count(const std::string& address, TimePoint now) {
  // First the one that can be at fault: what it is refused takes nothing from the others.
  if (limits_.per_address != 0 && !address.empty() && !CountAddress(address, now)) {
    return Verdict::kTooManyFromAddress;
  }
  if (limits_.total != 0 && !total_.Take(limits_.total, now)) return Verdict::kTooManyInAll;
  return Verdict::kFine;
}

bool AddressRates::CountAddress(const std::string& address, TimePoint now) {
  if (now - turned_at_ > TokenBucket::kBurst) {
    older_ = std::exchange(recent_, {});
    turned_at_ = now;
  }
  auto found = recent_.find(address);
  if (found == recent_.end()) {
    const auto old = older_.find(address);
    if (old == older_.end() && size() >= kMostAddresses) return true;
    TokenBucket bucket = old != older_.end() ? old->second : TokenBucket(limits_.per_address, now);
    if (old != older_.end()) older_.erase(old);
    found = recent_.emplace(address, bucket).first;
  }
  return found->second.Take(limits_.per_address, now);
}

}  // namespace crier
