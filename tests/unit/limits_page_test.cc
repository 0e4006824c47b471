// The table of limits in docs/hardening.md, held against the flags, the metrics and the tests.
#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/strings/str_split.h"
#include "server/metrics/metrics.h"
#include "server/options.h"

namespace crier {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// What stands between backticks.
std::vector<std::string> QuotedIn(std::string_view cell) {
  std::vector<std::string> quoted;
  const std::vector<std::string> parts = absl::StrSplit(std::string(cell), '`');
  for (size_t i = 1; i < parts.size(); i += 2) quoted.push_back(parts[i]);
  return quoted;
}

struct Row {
  std::vector<std::string> flags, defaults, metrics;
  std::string tests;
};

std::vector<Row> Table() {
  std::vector<Row> rows;
  const std::string page = ReadFile(std::string(CRIER_ROOT) + "/docs/hardening.md");
  const std::string table = page.substr(page.find("\n| limit |"));
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(table, '\n'))) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 8 || cells[1] == " limit " || cells[1].find("---") == 0) continue;
    rows.push_back({.flags = QuotedIn(cells[2]),
                    .defaults = absl::StrSplit(cells[3], absl::ByAnyChar(" ,"), absl::SkipEmpty()),
                    .metrics = QuotedIn(cells[5]),
                    .tests = cells[6]});
  }
  return rows;
}

// Flags of these groups that limit nothing.
const std::set<std::string_view> kNoLimits = {"heartbeat_interval", "gather_time"};
// And those of other groups that do.
const std::set<std::string_view> kLimitsBesides = {
    "grpc_max_streams_per_connection", "grpc_max_connection_age", "grpc_max_connection_age_grace"};

TEST(LimitsPageTest, HasEveryLimitWithItsDefault) {
  std::map<std::string, std::string> found;
  for (const Row& row : Table()) {
    if (row.flags.empty()) continue;
    ASSERT_EQ(row.flags.size(), row.defaults.size()) << row.flags.front();
    for (size_t i = 0; i < row.flags.size(); ++i) found[row.flags[i]] = row.defaults[i];
  }
  for (const FlagGroup& group : FlagGroups()) {
    const bool limits = group.title == "Limits" || group.title == "Times" ||
                        group.title == "Topic logs and slow consumers";
    for (const FlagHelp& flag : group.flags) {
      const bool listed =
          limits ? !kNoLimits.contains(flag.name) : kLimitsBesides.contains(flag.name);
      const std::string name = "--" + std::string(flag.name);
      if (!listed) continue;
      ASSERT_TRUE(found.contains(name)) << name << " has no row in docs/hardening.md";
      EXPECT_EQ(found[name], absl::FindCommandLineFlag(std::string(flag.name))->DefaultValue())
          << name;
      found.erase(name);
    }
  }
  for (const auto& [flag, value] : found) ADD_FAILURE() << "there is no limit " << flag;
}

TEST(LimitsPageTest, NamesMetricsThatThereAre) {
  std::set<std::string> names;
  for (const auto& family : Metrics(1).Collect()) names.insert(family.name);
  for (const Row& row : Table()) {
    EXPECT_FALSE(row.metrics.empty()) << row.tests;
    for (const std::string& metric : row.metrics) EXPECT_TRUE(names.contains(metric)) << metric;
  }
}

// "parity/limits_test `ABody`, `Other`, unit/x_test `Third`"
TEST(LimitsPageTest, NamesTestsThatThereAre) {
  size_t tests = 0;
  for (const Row& row : Table()) {
    std::string text;
    std::string file;
    size_t of_row = 0;
    const std::vector<std::string> parts = absl::StrSplit(row.tests, '`');
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i % 2 == 1) {
        const bool is_test = text.find(", " + parts[i] + ")") != text.npos;
        const bool is_way = text.find("&Walk::" + parts[i] + "}") != text.npos;
        EXPECT_TRUE(is_test || is_way) << parts[i] << " in " << file;
        ++of_row;
        continue;
      }
      for (const std::string& word : std::vector<std::string>(
               absl::StrSplit(parts[i], absl::ByAnyChar(" ,"), absl::SkipEmpty()))) {
        file = std::string(CRIER_ROOT) + "/tests/" + word + ".cc";
        text = ReadFile(file);
        EXPECT_FALSE(text.empty()) << file;
      }
    }
    EXPECT_GT(of_row, 0u) << row.tests;
    tests += of_row;
  }
  EXPECT_GT(tests, 40u);
}

}  // namespace
}  // namespace crier
