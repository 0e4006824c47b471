// Holds the outcome table against itself and against the specifications that it copies numbers
// from.
#include "server/base/outcome.h"

#include <gmock/gmock.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <set>
#include <string>

namespace crier {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

std::string Lower(std::string_view text) {
  std::string lower;
  for (char c : text) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// RFC 6455, section 7.4, and its registry at IANA: a code that may be sent in a close frame. 1004,
// 1005, 1006 and 1015 are reserved; 3000 to 4999 belong to libraries and applications.
bool MayBeSent(int code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

TEST(OutcomeTableTest, HasEveryOutcomeOnceAndInOrder) {
  ASSERT_EQ(AllOutcomes().size(), kOutcomeCount);
  for (size_t i = 0; i < kOutcomeCount; ++i) {
    EXPECT_EQ(AllOutcomes()[i].outcome, static_cast<Outcome>(i));
    EXPECT_EQ(&Info(static_cast<Outcome>(i)), &AllOutcomes()[i]);
  }
}

TEST(OutcomeTableTest, NamesAndLabelsAreUniqueAndTheSameWord) {
  std::set<std::string_view> names;
  for (const OutcomeInfo& info : AllOutcomes()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(info.label, Lower(info.name));
    EXPECT_NE(info.name, "UNKNOWN");
    EXPECT_EQ(info.name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
              std::string_view::npos)
        << info.name;
  }
}

TEST(OutcomeTableTest, EveryOutcomeIsExplainedInWords) {
  for (const OutcomeInfo& info : AllOutcomes()) EXPECT_THAT(info.text, Not(IsEmpty())) << info.name;
}

TEST(OutcomeTableTest, CloseCodesMayBeSentAndFitInWhatSaysHowLongTheSessionStays) {
  for (const OutcomeInfo& info : AllOutcomes()) {
    SCOPED_TRACE(info.name);
    if (info.close_code != 0) {
      EXPECT_TRUE(MayBeSent(info.close_code)) << info.close_code;
      EXPECT_EQ(info.repeated_close_code, info.close_code);
    } else if (info.repeated_close_code != 0) {
      EXPECT_TRUE(MayBeSent(info.repeated_close_code)) << info.repeated_close_code;
    }
  }
}

TEST(OutcomeTableTest, ReasonsFitInACloseFrame) {
  // RFC 6455, section 5.5: a control frame's payload is at most 125 bytes, two of them the code.
  for (const OutcomeInfo& info : AllOutcomes()) EXPECT_LE(info.text.size(), 123u) << info.name;
}

TEST(OutcomeTableTest, SaysWhatTheProtocolSays) {
  struct Row {
    int grpc_status;
    int close_code;
    int repeated;
    Advice advice;
  };
  using grpc::StatusCode;
  const std::map<std::string_view, Row> protocol = {
      {"OK", {StatusCode::OK, 1000, 1000, Advice::kNone}},
      {"SHUTDOWN", {StatusCode::UNAVAILABLE, 1001, 1001, Advice::kRetryAfterSlot}},
      {"PROTOCOL_ERROR", {StatusCode::INTERNAL, 1002, 1002, Advice::kDoNotRetry}},
      {"UNSUPPORTED_DATA", {StatusCode::INVALID_ARGUMENT, 0, 1003, Advice::kDoNotRetry}},
      {"INVALID_UTF8", {StatusCode::INVALID_ARGUMENT, 1007, 1007, Advice::kDoNotRetry}},
      {"INVALID_MESSAGE", {StatusCode::INVALID_ARGUMENT, 0, 1002, Advice::kDoNotRetry}},
      {"UNAVAILABLE", {StatusCode::UNAVAILABLE, 0, 0, Advice::kRetryWithSameId}},
      {"UNAUTHENTICATED", {StatusCode::UNAUTHENTICATED, 4401, 4401, Advice::kRetryWithToken}},
      {"TOKEN_EXPIRED", {StatusCode::UNAUTHENTICATED, 4401, 4401, Advice::kRetryWithToken}},
      {"PERMISSION_DENIED", {StatusCode::PERMISSION_DENIED, 4403, 4403, Advice::kDoNotRetry}},
      {"NO_RECIPIENT", {StatusCode::NOT_FOUND, 0, 0, Advice::kNone}},
      {"MESSAGE_TOO_BIG", {StatusCode::RESOURCE_EXHAUSTED, 1009, 1009, Advice::kDoNotRetry}},
      {"TOO_MANY_TOPICS", {StatusCode::RESOURCE_EXHAUSTED, 0, 0, Advice::kDoNotRetry}},
      {"RATE_LIMITED", {StatusCode::RESOURCE_EXHAUSTED, 0, 4429, Advice::kRetryAfterSlot}},
      {"TOO_MANY_SESSIONS", {StatusCode::UNAVAILABLE, 4430, 4430, Advice::kRetryAfterSlot}},
      {"SLOW_CONSUMER", {StatusCode::RESOURCE_EXHAUSTED, 4408, 4408, Advice::kRetryNow}},
      {"IDLE_TIMEOUT", {StatusCode::DEADLINE_EXCEEDED, 4409, 4409, Advice::kRetryNow}},
      {"DISCONNECTED_BY_ADMIN", {StatusCode::ABORTED, 4410, 4410, Advice::kNone}},
      {"OVERLOADED", {StatusCode::RESOURCE_EXHAUSTED, 0, 1013, Advice::kRetryAfterSlot}},
      {"CONNECTION_LOST", {StatusCode::UNAVAILABLE, 1001, 1001, Advice::kRetryNow}},
      {"INTERNAL", {StatusCode::INTERNAL, 1011, 1011, Advice::kRetryAfterSlot}},
  };
  EXPECT_EQ(protocol.size(), kOutcomeCount);
  for (const OutcomeInfo& info : AllOutcomes()) {
    SCOPED_TRACE(info.name);
    const auto row = protocol.find(info.name);
    ASSERT_NE(row, protocol.end());
    EXPECT_EQ(info.grpc_status, row->second.grpc_status);
    EXPECT_EQ(info.close_code, row->second.close_code);
    EXPECT_EQ(info.repeated_close_code, row->second.repeated);
    EXPECT_EQ(info.advice, row->second.advice);
  }
}

}  // namespace
}  // namespace crier
