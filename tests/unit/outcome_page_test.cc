// docs/outcomes.md is made of the outcome table. After a change of the table:
//   CRIER_WRITE_DOCS=1 build/release/tests/unit/outcome_page_test
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "server/base/outcome.h"

namespace crier {
namespace {

constexpr char kPath[] = CRIER_DOCS "/outcomes.md";

// gRPC's names (its doc/statuscodes.md).
std::string StatusName(int status) {
  switch (status) {
    case 0:
      return "OK";
    case 3:
      return "INVALID_ARGUMENT";
    case 4:
      return "DEADLINE_EXCEEDED";
    case 5:
      return "NOT_FOUND";
    case 7:
      return "PERMISSION_DENIED";
    case 8:
      return "RESOURCE_EXHAUSTED";
    case 10:
      return "ABORTED";
    case 13:
      return "INTERNAL";
    case 14:
      return "UNAVAILABLE";
    case 16:
      return "UNAUTHENTICATED";
    default:
      return "status " + std::to_string(status) + ", which this page has no name for";
  }
}

std::string CloseCodes(const OutcomeInfo& info) {
  if (info.close_code != 0) return std::to_string(info.close_code);
  if (info.repeated_close_code == 0) return "the session stays";
  return "the session stays; after too many: " + std::to_string(info.repeated_close_code);
}

std::string Page() {
  std::ostringstream page;
  page << "# Outcomes\n\n"
          "Why something was refused or ended. This page is made of the table in\n"
          "`server/base/outcome.cc`; every surface takes its words from there.\n\n"
          "- **An error event** (`error`) has the name in `outcome`, in the plain dialect in "
          "`data`. There the\n  session goes on.\n"
          "- **A close frame** has the close code, and the reason `NAME: text`. Where the advice "
          "is to wait, the\n  reason ends with `; retry_after_ms=N`.\n"
          "- **A gRPC status** has the name as `reason` of a `google.rpc.ErrorInfo` (domain "
          "`crier`); its metadata\n  have `advice` and `retry_after_ms`. The trailers have the "
          "latter as `grpc-retry-pushback-ms`, which\n  gRPC's libraries obey. Calls by HTTP have "
          "the same in `details`.\n"
          "- **Metrics** have the name in lower case as the label `outcome`.\n\n"
          "`advice` says what to do. `retry_now`: come back at once, with resume points. "
          "`retry_after_slot`: wait\nfor as long as the server says (`retry_after`, "
          "`retry_after_ms`); each session, and each call without\none, has its own slot, so that "
          "not all come back at once. "
          "`retry_with_token`: come back with a\nnew token. `retry_with_same_id`: send the same "
          "message again, with the same `id`; if the server took it\nthe first time, it is not "
          "published twice. None: the same again would end as it did.\n\n"
          "| outcome | gRPC status | WebSocket close code | advice | text |\n"
          "|---|---|---|---|---|\n";
  for (const OutcomeInfo& info : AllOutcomes()) {
    page << "| `" << info.name << "` | " << StatusName(info.grpc_status) << " | "
         << CloseCodes(info) << " | " << AdviceName(info.advice) << " | " << info.text << " |\n";
  }
  return page.str();
}

TEST(OutcomePageTest, IsWhatTheTableSays) {
  if (std::getenv("CRIER_WRITE_DOCS") != nullptr) std::ofstream(kPath) << Page();
  std::ifstream file(kPath);
  std::ostringstream written;
  written << file.rdbuf();
  EXPECT_EQ(written.str(), Page()) << "write it anew: CRIER_WRITE_DOCS=1 "
                                      "build/release/tests/unit/outcome_page_test";
}

}  // namespace
}  // namespace crier
