#include "server/net/connection_table.h"

#include <sys/resource.h>

#include <algorithm>
#include <cassert>

#include "server/metrics/process_stats.h"

namespace crier {
namespace {

constexpr rlim_t kMostDescriptors = 1 << 20;
constexpr size_t kLeastReserve = 8;

// Returns the soft limit, after raising it as far as it goes.
size_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kLeastReserve;
  const rlim_t wanted = std::min(limit.rlim_max, kMostDescriptors);
  if (limit.rlim_cur < wanted) {
    const rlimit raised{.rlim_cur = wanted, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<size_t>(std::min(limit.rlim_cur, kMostDescriptors));
}

}  // namespace

void ConnectionTable::Place::Release() {
  if (table_ == nullptr) return;
  std::exchange(table_, nullptr)->Leave(address_);
  address_.clear();
}

ConnectionTable::ConnectionTable(Limits limits, Metrics* metrics)
    : limits_(limits),
      metrics_(metrics == nullptr ? nullptr : &metrics->connections()),
      total_limit_(limits.total) {
  if (limits_.total == 0) {
    MeasureAllowance();
  } else if (metrics_ != nullptr) {
    metrics_->limit.Set(static_cast<int64_t>(limits_.total));
  }
}

void ConnectionTable::MeasureAllowance() {
  const size_t allowance = DescriptorAllowance();
  MutexLock lock(&mutex_);
  // Connections that are open hold descriptors which are "in use now" but not the server's own.
  total_limit_ = allowance + size_;
  if (limits_.total != 0) total_limit_ = std::min(total_limit_, limits_.total);
  if (metrics_ != nullptr) metrics_->limit.Set(static_cast<int64_t>(total_limit_));
}

std::optional<ConnectionTable::Place> ConnectionTable::Enter(std::string_view address) {
  MutexLock lock(&mutex_);
  if (size_ >= total_limit_) {
    CountRefusal(RefusalKind::kTotal);
    return std::nullopt;
  }
  std::string counted;
  if (limits_.per_address != 0) {
    counted = address;
    size_t& connections = per_address_[counted];
    if (connections >= limits_.per_address) {
      CountRefusal(RefusalKind::kPerAddress);
      return std::nullopt;
    }
    ++connections;
  }
  ++size_;
  if (metrics_ != nullptr) metrics_->open.Set(static_cast<int64_t>(size_));
  return Place(this, std::move(counted));
}

void ConnectionTable::Leave(const std::string& address) {
  MutexLock lock(&mutex_);
  assert(size_ > 0);
  --size_;
  if (metrics_ != nullptr) metrics_->open.Set(static_cast<int64_t>(size_));
  if (limits_.per_address == 0) return;
  const auto it = per_address_.find(address);
  if (it != per_address_.end() && --it->second == 0) per_address_.erase(it);
}

void ConnectionTable::CountOutOfDescriptors() {
  MutexLock lock(&mutex_);
  CountRefusal(RefusalKind::kDescriptors);
}

void ConnectionTable::CountRefusal(RefusalKind reason) {
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

size_t ConnectionTable::DescriptorAllowance() {
  const size_t limit = RaiseDescriptorLimit();
  // Where /proc cannot be read, the reserve has to do.
  const size_t in_use = OpenDescriptorCount().value_or(0);
  const size_t reserve = std::max(kLeastReserve, limit / 64);
  return limit > in_use + reserve ? limit - in_use - reserve : 1;
}

}  // namespace crier
