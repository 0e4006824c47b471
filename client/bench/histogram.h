// Latencies, counted in buckets whose width grows with the value.
#ifndef CRIER_CLIENT_BENCH_HISTOGRAM_H_
#define CRIER_CLIENT_BENCH_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace crier::bench {

// A log-linear histogram, after the idea of HdrHistogram (Gil Tene). Every power of two is split
// into 128 equal buckets, so a value is known to within 1/128 (0.8 %) of itself. The range is one
// nanosecond to 2^40 ns (18 minutes); longer values count in the last bucket. Below 128 ns it is
// exact. Percentiles are the upper edge of their bucket, so they are never too low. Adding a value
// costs one increment. The maximum, the count and the sum are exact. 34 KiB. Not thread-safe.
class Histogram {
 public:
  void Add(uint64_t value) {
    ++buckets_[Index(value)];
    ++count_;
    sum_ += value;
    max_ = std::max(max_, value);
  }
  void Merge(const Histogram& other);
  void Clear();

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / count_; }
  // The smallest value that at least `q` (0 to 1) of the values do not exceed. 0 if empty.
  uint64_t Percentile(double q) const;

 private:
  static constexpr int kSubBits = 7;
  static constexpr uint64_t kSub = uint64_t{1} << kSubBits;
  static constexpr int kTopBits = 40;
  static constexpr uint64_t kLimit = (uint64_t{1} << kTopBits) - 1;

  static size_t Index(uint64_t value) {
    if (value < kSub) return value;
    value = std::min(value, kLimit);
    const int exponent = std::bit_width(value) - 1;
    return (exponent - kSubBits) * kSub + (value >> (exponent - kSubBits));
  }
  // The largest value that falls into the bucket.
  static uint64_t UpperEdge(size_t index);

  std::array<uint64_t, (kTopBits - kSubBits + 1) * kSub> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_HISTOGRAM_H_
