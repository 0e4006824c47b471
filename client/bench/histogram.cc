#include "client/bench/histogram.h"

#include <cmath>

namespace crier::bench {

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

void Histogram::Clear() {
  if (count_ != 0) *this = Histogram();
}

uint64_t Histogram::UpperEdge(size_t index) {
  if (index < 2 * kSub) return index;
  const size_t shift = index / kSub - 1;
  return ((index % kSub + kSub + 1) << shift) - 1;
}

uint64_t Histogram::Percentile(double q) const {
  if (count_ == 0) return 0;
  const auto rank = std::clamp<uint64_t>(
      static_cast<uint64_t>(std::ceil(q * static_cast<double>(count_))), 1, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(UpperEdge(i), max_);
  }
  return max_;
}

}  // namespace crier::bench
