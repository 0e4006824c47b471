// What a call ends with, as gRPC's clients read it.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/grpc/status.h"

namespace crier {
namespace {

TEST(GrpcStatusTest, PrintableAsciiStaysAsItIs) {
  std::string printable;
  for (char c = 0x20; c < 0x7F; ++c) {
    if (c != '%') printable += c;
  }
  EXPECT_EQ(PercentEncoded(printable), printable);
  EXPECT_EQ(PercentEncoded(""), "");
}

TEST(GrpcStatusTest, TheRestIsPercentEncoded) {
  EXPECT_EQ(PercentEncoded("100% of it"), "100%25 of it");
  EXPECT_EQ(PercentEncoded("gr\xC3\xBC\xC3\x9F dich"), "gr%C3%BC%C3%9F dich");
  EXPECT_EQ(PercentEncoded("two\r\nlines"), "two%0D%0Alines");
  EXPECT_EQ(PercentEncoded(std::string("\0\x1F\x7F\xFF", 4)), "%00%1F%7F%FF");
}

TEST(GrpcStatusTest, OkSaysNothing) {
  const GrpcStatus status = ToGrpcStatus(Outcome::kOk, "all is well");
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code, 0);
  EXPECT_EQ(status.message, "");
  EXPECT_EQ(status.details, "");
  EXPECT_TRUE(GrpcStatus().ok());
}

TEST(GrpcStatusTest, EveryOtherOutcomeIsNamedInTheDetails) {
  for (const OutcomeInfo& info : AllOutcomes()) {
    if (info.outcome == Outcome::kOk) continue;
    SCOPED_TRACE(info.name);
    const GrpcStatus status = ToGrpcStatus(info.outcome);
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.code, info.grpc_status);
    EXPECT_EQ(status.message, info.text);

    google::rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(status.details));
    EXPECT_EQ(details.code(), status.code);
    EXPECT_EQ(details.message(), status.message);
    ASSERT_EQ(details.details_size(), 1);
    google::rpc::ErrorInfo error;
    ASSERT_TRUE(details.details(0).UnpackTo(&error));
    EXPECT_EQ(error.reason(), info.name);
    EXPECT_EQ(error.domain(), "crier");
  }
}

TEST(GrpcStatusTest, TheMetadataSaysWhatToDo) {
  const auto metadata_of = [](const GrpcStatus& status) {
    google::rpc::Status details;
    EXPECT_TRUE(details.ParseFromString(status.details));
    google::rpc::ErrorInfo error;
    EXPECT_TRUE(details.details(0).UnpackTo(&error));
    return std::map<std::string, std::string>(error.metadata().begin(), error.metadata().end());
  };
  using Metadata = std::map<std::string, std::string>;
  EXPECT_EQ(metadata_of(ToGrpcStatus(Outcome::kSlowConsumer)), (Metadata{{"advice", "retry_now"}}));
  const GrpcStatus shutdown = ToGrpcStatus(
      ErrorOf(Outcome::kShutdown, {}, Advice::kRetryAfterSlot, std::chrono::milliseconds(4210)));
  EXPECT_EQ(metadata_of(shutdown),
            (Metadata{{"advice", "retry_after_slot"}, {"retry_after_ms", "4210"}}));
  EXPECT_EQ(shutdown.retry_after, std::chrono::milliseconds(4210));
  EXPECT_EQ(metadata_of(ToGrpcStatus(Outcome::kPermissionDenied)), Metadata());
  EXPECT_EQ(ToGrpcStatus(Outcome::kPermissionDenied).retry_after, std::nullopt);
}

TEST(GrpcStatusTest, CallsWithoutASessionHaveSlotsInTurn) {
  std::set<int64_t> slots;
  for (int i = 0; i < 100; ++i) {
    const auto slot = ToGrpcStatus(Outcome::kOverloaded).retry_after;
    ASSERT_TRUE(slot);
    EXPECT_GE(slot->count(), 0);
    EXPECT_LT(*slot, kReconnectSpread);
    slots.insert(slot->count());
  }
  EXPECT_GT(slots.size(), 90u);
  EXPECT_LT(*slots.begin(), 1000);
  EXPECT_GT(*slots.rbegin(), 9000);
}

TEST(GrpcStatusTest, ADetailTakesThePlaceOfTheText) {
  const GrpcStatus status = ToGrpcStatus(Outcome::kMessageTooBig,
                                         "gr\xC3\xB6\xC3\x9F"
                                         "er als 64");
  EXPECT_EQ(status.message,
            "gr\xC3\xB6\xC3\x9F"
            "er als 64")
      << "encoded where it is sent only";
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.details));
  EXPECT_EQ(details.message(), status.message);
}

TEST(GrpcStatusTest, ACodeOfThisFolderHasNoDetails) {
  const GrpcStatus status(GrpcCode::kUnimplemented, "no such method");
  EXPECT_EQ(status.code, 12);
  EXPECT_EQ(status.message, "no such method");
  EXPECT_EQ(status.details, "");
}

}  // namespace
}  // namespace crier
