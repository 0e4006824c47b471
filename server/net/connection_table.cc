#include "server/net/connection_table.h"

#include <sys/resource.h>

#include <algorithm>
#include <cassert>

#include "server/metrics/process_stats.h"

namespace crier {
namespace {

constexpr rlim_t kMostDescriptors = 1 << 20;
constexpr size_t kLeastReserve = 8 + ConnectionTable::kReserve;

}  // namespace

Outcome OutcomeOf(RefusalKind why) {
  const bool rate = why == RefusalKind::kRate || why == RefusalKind::kRatePerAddress;
  return rate ? Outcome::kRateLimited : Outcome::kTooManySessions;
}

std::string_view TextOf(RefusalKind why) {
  switch (why) {
    case RefusalKind::kTotal:
      return "the server has reached its limit of connections";
    case RefusalKind::kPerAddress:
      return "the server has reached its limit of connections from one address";
    case RefusalKind::kDescriptors:
      return "the server has no room for more connections";
    case RefusalKind::kRate:
      return "more connections come in a second than the server takes";
    case RefusalKind::kRatePerAddress:
      return "more connections come in a second than the server takes from one address";
  }
  return {};
}

void ConnectionTable::Place::Release() {
  if (table_ == nullptr) return;
  std::exchange(table_, nullptr)->Leave(*this);
  address_.reset();
}

bool ConnectionTable::Place::CountFor(std::string_view client, TimePoint now, RefusalKind* why) {
  assert(address_ == nullptr);
  if (table_ == nullptr) return true;
  std::string counted = table_->CountedBy(client);
  if (counted.empty()) return true;
  MutexLock lock(&table_->mutex_);
  if (!table_->CountRateLocked(counted, now, why) || !table_->CountLocked(counted, why)) {
    return false;
  }
  if (table_->limits_.per_address != 0) SetAddress(std::move(counted));
  return true;
}

ConnectionTable::ConnectionTable(Limits limits, Metrics* metrics)
    : limits_(limits),
      metrics_(metrics == nullptr ? nullptr : &metrics->connections()),
      total_limit_(limits.total),
      rates_(limits_.rates, std::chrono::steady_clock::now()),
      call_rates_({.per_address = limits_.calls_per_address}, std::chrono::steady_clock::now()) {
  if (limits_.total == 0) {
    MeasureAllowance();
  } else if (metrics_ != nullptr) {
    metrics_->limit.Set(static_cast<int64_t>(limits_.total));
  }
}

void ConnectionTable::MeasureAllowance() {
  const size_t allowance = DescriptorAllowance();
  MutexLock lock(&mutex_);
  // Open connections hold descriptors that are "in use now" but not the server's own.
  total_limit_ = allowance + size_;
  if (limits_.total != 0) total_limit_ = std::min(total_limit_, limits_.total);
  if (metrics_ != nullptr) metrics_->limit.Set(static_cast<int64_t>(total_limit_));
}

bool ConnectionTable::TakeCall(std::string_view client, TimePoint now) {
  if (limits_.calls_per_address == 0 || IsTrustedProxy(client)) return true;
  const std::string counted = CountedAddress(client);
  MutexLock lock(&mutex_);
  if (call_rates_.Count(counted, now) == AddressRates::Verdict::kFine) return true;
  if (metrics_ != nullptr) metrics_->calls_refused.Add();
  return false;
}

std::string ConnectionTable::CountedBy(std::string_view address) const {
  if (limits_.per_address == 0 && limits_.rates.per_address == 0) return {};
  return IsTrustedProxy(address) ? std::string() : CountedAddress(address);
}

std::optional<ConnectionTable::Place> ConnectionTable::Enter(std::string_view address,
                                                             TimePoint now, RefusalKind* why) {
  std::string counted = CountedBy(address);
  MutexLock lock(&mutex_);
  // A flood takes no place, whatever else is refused for.
  if (!CountRateLocked(counted, now, why)) return std::nullopt;
  if (size_ >= total_limit_) {
    CountRefusal(RefusalKind::kTotal, why);
    return std::nullopt;
  }
  if (!counted.empty() && !CountLocked(counted, why)) return std::nullopt;
  ++size_;
  if (metrics_ != nullptr) metrics_->open.Set(static_cast<int64_t>(size_));
  Place place(this, /*reserve=*/false);
  if (limits_.per_address != 0 && !counted.empty()) place.SetAddress(std::move(counted));
  return place;
}

std::optional<ConnectionTable::Place> ConnectionTable::EnterReserve() {
  MutexLock lock(&mutex_);
  if (size_ < total_limit_ || reserve_used_ >= kReserve) return std::nullopt;
  ++reserve_used_;
  return Place(this, /*reserve=*/true);
}

bool ConnectionTable::CountRateLocked(const std::string& counted, TimePoint now, RefusalKind* why) {
  switch (rates_.Count(counted, now)) {
    case AddressRates::Verdict::kFine:
      return true;
    case AddressRates::Verdict::kTooManyInAll:
      CountRefusal(RefusalKind::kRate, why);
      return false;
    case AddressRates::Verdict::kTooManyFromAddress:
      CountRefusal(RefusalKind::kRatePerAddress, why);
      return false;
  }
  return true;
}

bool ConnectionTable::CountLocked(const std::string& counted, RefusalKind* why) {
  if (limits_.per_address == 0) return true;
  size_t& connections = per_address_[counted];
  if (connections >= limits_.per_address) {
    CountRefusal(RefusalKind::kPerAddress, why);
    return false;
  }
  ++connections;
  return true;
}

void ConnectionTable::Leave(const Place& place) {
  MutexLock lock(&mutex_);
  if (place.reserve_) {
    assert(reserve_used_ > 0);
    --reserve_used_;
    return;
  }
  assert(size_ > 0);
  --size_;
  if (metrics_ != nullptr) metrics_->open.Set(static_cast<int64_t>(size_));
  if (place.address_ == nullptr) return;
  const auto it = per_address_.find(*place.address_);
  if (it != per_address_.end() && --it->second == 0) per_address_.erase(it);
}

void ConnectionTable::CountOutOfDescriptors() {
  MutexLock lock(&mutex_);
  CountRefusal(RefusalKind::kDescriptors, nullptr);
}

void ConnectionTable::CountRefusal(RefusalKind reason, RefusalKind* why) {
  if (why != nullptr) *why = reason;
  if (metrics_ == nullptr) return;
  metrics_->refused[static_cast<size_t>(reason)].Add();
}

size_t ConnectionTable::size() const {
  MutexLock lock(&mutex_);
  return size_;
}

size_t ConnectionTable::limit() const {
  MutexLock lock(&mutex_);
  return total_limit_;
}

size_t ConnectionTable::DescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kLeastReserve;
  const rlim_t wanted = std::min(limit.rlim_max, kMostDescriptors);
  if (limit.rlim_cur < wanted) {
    const rlimit raised{.rlim_cur = wanted, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<size_t>(std::min(limit.rlim_cur, kMostDescriptors));
}

size_t ConnectionTable::DescriptorAllowance() {
  const size_t limit = DescriptorLimit();
  // Where /proc cannot be read, the reserve has to do.
  const size_t in_use = OpenDescriptorCount().value_or(0);
  const size_t reserve = std::max(kLeastReserve, limit / 64);
  return limit > in_use + reserve ? limit - in_use - reserve : 1;
}

}  // namespace crier
