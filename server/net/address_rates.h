// How many connections or calls come in a second, in all and from one address: token buckets.
#ifndef CRIER_SERVER_NET_ADDRESS_RATES_H_
#define CRIER_SERVER_NET_ADDRESS_RATES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "server/base/clock.h"

namespace crier {

// So many in a second, for as long as it lasts; so many seconds' worth of them at once, where there
// were none before. Not thread-safe.
class TokenBucket {
 public:
  static constexpr std::chrono::seconds kBurst{5};

  // Begins full.
  TokenBucket(uint32_t rate, TimePoint now)
      : tokens_(static_cast<float>(rate) * kBurst.count()), since_(now) {}

  // False: there is none left. `rate`: the one that it began with.
  bool Take(uint32_t rate, TimePoint now);

 private:
  float tokens_;
  TimePoint since_;
};

// Not thread-safe.
class AddressRates {
 public:
  // In a second; 0: no limit.
  struct Limits {
    uint32_t total = 0;
    uint32_t per_address = 0;
  };
  enum class Verdict : uint8_t { kFine, kTooManyInAll, kTooManyFromAddress };

  AddressRates(Limits limits, TimePoint now)
      : limits_(limits), total_(limits.total, now), turned_at_(now) {}

  // One more of them. `address`: as CountedAddress has it; empty: of nobody in particular.
  Verdict Count(const std::string& address, TimePoint now);

  const Limits& limits() const { return limits_; }
  // How many addresses are remembered.
  size_t size() const { return recent_.size() + older_.size(); }

 private:
  // More addresses than this are let in without a count of their own, so that those of a flood cost
  // no memory without bound; the limit in all counts them.
  static constexpr size_t kMostAddresses = 100'000;
  using Buckets = absl::flat_hash_map<std::string, TokenBucket>;

  bool CountAddress(const std::string& address, TimePoint now);

  const Limits limits_;
  TokenBucket total_;
  // Two generations. A bucket that nobody touches for kBurst is full, which is the same as none: so
  // what was not touched since the last turn but one goes with its whole generation.
  Buckets recent_;
  Buckets older_;
  TimePoint turned_at_;
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_ADDRESS_RATES_H_
