// The results of a run, for people and for programs.
#ifndef CRIER_CLIENT_BENCH_REPORT_H_
#define CRIER_CLIENT_BENCH_REPORT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/bench/histogram.h"

namespace crier::bench {

// Rows in the order in which they were added. A row has a key for programs, which never changes its
// meaning, and a label for people. A row without a label is only for programs, a row without a key
// only for people. Not thread-safe.
class Report {
 public:
  // Rows from here on belong to the part `key` (an object of its own in the JSON form), shown under
  // `title`. The empty key is the top.
  void Part(std::string key, std::string title);

  void Text(std::string key, std::string label, std::string value);
  void Count(std::string key, std::string label, uint64_t value);
  // Shown with `decimals` places and `unit`.
  void Real(std::string key, std::string label, double value, int decimals, std::string unit = "");
  void Flag(std::string key, bool value);
  // PREFIX_p50_ms, _p90_, _p95_, _p99_, _p999_, _max_ms; one line for people.
  void Latency(const std::string& prefix, std::string label, const Histogram& histogram);

  // Why the run failed, one line for each reason. Empty: it did not fail.
  void Fail(std::string why) { failures_.push_back(std::move(why)); }
  bool failed() const { return !failures_.empty(); }

  std::string Table() const;
  // One object on one line, ended by a newline. "ok" and "failures" come last.
  std::string Json() const;

 private:
  struct Row {
    std::string key;
    std::string label;
    std::string shown;
    std::string json;  // The value, as JSON.
  };
  struct Section {
    std::string key;
    std::string title;
    std::vector<Row> rows;
  };

  void Insert(std::string key, std::string label, std::string shown, std::string json);

  std::vector<Section> sections_{1};
  std::vector<std::string> failures_;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_REPORT_H_
