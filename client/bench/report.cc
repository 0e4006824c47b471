#include "client/bench/report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/plain_dialect.h"
#include "client/text.h"

namespace crier::bench {
namespace {

// 1234567 as "1,234,567".
std::string Grouped(uint64_t value) {
  const std::string digits = Concat(value);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

std::string Milliseconds(uint64_t ns) {
  const double ms = static_cast<double>(ns) / 1e6;
  return absl::StrFormat("%.*f", ms < 10 ? 3 : ms < 1000 ? 1 : 0, ms);
}

struct Quantile {
  const char* name;
  double q;
};
constexpr Quantile kQuantiles[] = {
    {"p50", 0.50}, {"p90", 0.90}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}};

}  // namespace

void Report::Part(std::string key, std::string title) {
  sections_.push_back(Section{std::move(key), std::move(title), {}});
}

void Report::Insert(std::string key, std::string label, std::string shown, std::string json) {
  sections_.back().rows.push_back(
      Row{std::move(key), std::move(label), std::move(shown), std::move(json)});
}

void Report::Text(std::string key, std::string label, std::string value) {
  std::string json = client::QuoteJson(value);
  Insert(std::move(key), std::move(label), std::move(value), std::move(json));
}

void Report::Count(std::string key, std::string label, uint64_t value) {
  Insert(std::move(key), std::move(label), Grouped(value), Concat(value));
}

void Report::Real(std::string key, std::string label, double value, int decimals,
                  std::string unit) {
  std::string shown = decimals == 0 && value >= 0 ? Grouped(static_cast<uint64_t>(value + 0.5))
                                                  : absl::StrFormat("%.*f", decimals, value);
  if (!unit.empty()) AppendTo(&shown, " ", unit);
  Insert(std::move(key), std::move(label), std::move(shown), absl::StrFormat("%.6g", value));
}

void Report::Flag(std::string key, bool value) {
  Insert(std::move(key), "", "", value ? "true" : "false");
}

void Report::Latency(const std::string& prefix, std::string label, const Histogram& histogram) {
  if (histogram.count() == 0) return;
  std::string shown;
  for (const Quantile& quantile : kQuantiles) {
    const uint64_t value = histogram.Percentile(quantile.q);
    AppendTo(&shown, quantile.name, " ", Milliseconds(value), "  ");
    Insert(Concat(prefix, "_", quantile.name, "_ms"), "", "",
           absl::StrFormat("%.6g", static_cast<double>(value) / 1e6));
  }
  AppendTo(&shown, "max ", Milliseconds(histogram.max()));
  Insert(Concat(prefix, "_max_ms"), std::move(label), std::move(shown),
         absl::StrFormat("%.6g", static_cast<double>(histogram.max()) / 1e6));
}

std::string Report::Table() const {
  size_t width = 0;
  for (const Section& section : sections_) {
    for (const Row& row : section.rows) width = std::max(width, row.label.size());
  }
  std::string table;
  for (const Section& section : sections_) {
    if (!section.title.empty()) AppendTo(&table, "\n", section.title, "\n");
    for (const Row& row : section.rows) {
      if (row.label.empty()) continue;
      absl::StrAppendFormat(&table, "  %-*s  %s\n", static_cast<int>(width), row.label, row.shown);
    }
  }
  for (const std::string& failure : failures_) AppendTo(&table, "FAILED: ", failure, "\n");
  return table;
}

std::string Report::Json() const {
  const auto members = [](const Section& section) {
    std::string list;
    for (const Row& row : section.rows) {
      if (row.key.empty()) continue;
      AppendTo(&list, list.empty() ? "" : ",", client::QuoteJson(row.key), ":", row.json);
    }
    return list;
  };
  std::string json = "{";
  for (const Section& section : sections_) {
    if (section.rows.empty()) continue;
    if (section.key.empty()) {
      AppendTo(&json, members(section), ",");
    } else {
      AppendTo(&json, client::QuoteJson(section.key), ":{", members(section), "},");
    }
  }
  AppendTo(&json, "\"ok\":", failed() ? "false" : "true", ",\"failures\":[",
           absl::StrJoin(failures_, ",",
                         [](std::string* out, const std::string& failure) {
                           AppendTo(out, client::QuoteJson(failure));
                         }),
           "]}\n");
  return json;
}

}  // namespace crier::bench
