// Counters, gauges and histograms whose update is a plain add.
//
// One thread writes an instrument, any thread reads it. This needs a relaxed load and store, but no
// locked instruction. prometheus-cpp's own instruments are shared between threads, and its
// histogram locks a mutex for each observation. These instruments exist once per shard, and a
// scrape adds them up, so they need no lock.
#ifndef CRIER_SERVER_METRICS_INSTRUMENTS_H_
#define CRIER_SERVER_METRICS_INSTRUMENTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace crier {

// Only goes up.
class Counter {
 public:
  // Runs on: the owner's thread.
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Goes up and down.
class Gauge {
 public:
  // Runs on: the owner's thread.
  void Add(int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Set(int64_t n) { value_.store(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Seconds, in the buckets that the study's dashboards use (docs/protocol.md, "Metrics").
class Histogram {
 public:
  static constexpr std::array<double, 14> kBounds = {
      0.0001, 0.0005, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5};

  // Runs on: the owner's thread.
  void Observe(double seconds, uint64_t times = 1) {
    size_t i = 0;
    while (i < kBounds.size() && seconds > kBounds[i]) ++i;
    buckets_[i].Add(times);
    sum_.store(sum_.load(std::memory_order_relaxed) + seconds * static_cast<double>(times),
               std::memory_order_relaxed);
  }
  // Observations in bucket i alone (not cumulative). i == kBounds.size() is the highest bucket.
  uint64_t bucket(size_t i) const { return buckets_[i].value(); }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::array<Counter, kBounds.size() + 1> buckets_;
  std::atomic<double> sum_{0};
};

}  // namespace crier

#endif  // CRIER_SERVER_METRICS_INSTRUMENTS_H_
