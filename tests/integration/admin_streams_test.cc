// crier.v1.Admin's streams, which are gRPC's alone.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "crier/v1/admin.pb.h"
#include "tests/integration/admin_fixture.h"
#include "tests/support/tokens.h"

namespace crier::testing {
namespace {

class AdminStreamTest : public AdminTest {};
INSTANTIATE_TEST_SUITE_P(Surfaces, AdminStreamTest, ::testing::Values(Surface::kGrpc));

TEST_P(AdminStreamTest, StatsFollowTheServer) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  GrpcClient client(crierd.admin());
  GrpcStream watch(client.channel(), "/crier.v1.Admin/WatchStats", {});
  v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(100'000'000);
  watch.Send(request);
  watch.CloseSending();
  WebSocketClient ann = Connect(crierd, "ann");
  v1::Stats stats;
  for (int i = 0; i < 50 && stats.messages_received() == 0; ++i) {
    ASSERT_TRUE(stats.ParseFromString(watch.NextBytes()));
  }
  EXPECT_EQ(stats.messages_received(), 1u);
  EXPECT_EQ(stats.websocket_sessions(), 1u);
  EXPECT_GT(stats.memory_budget(), 0u);
}

TEST_P(AdminStreamTest, EventsTellWhoComesAndGoes) {
  CrierdProcess crierd({"--shards=2"});
  ASSERT_TRUE(crierd.ready());
  GrpcClient client(crierd.admin());
  GrpcStream watch(client.channel(), "/crier.v1.Admin/WatchEvents", {});
  watch.Send(v1::WatchEventsRequest());
  watch.CloseSending();
  // Every shard has begun to tell when both kinds of events of some session have come.
  bool began = false;
  bool ended = false;
  for (int i = 0; i < 50 && !(began && ended); ++i) {
    Connect(crierd, "ann").CloseNicely();
    v1::AdminEvents events;
    ASSERT_TRUE(events.ParseFromString(watch.NextBytes()));
    for (const v1::AdminEvent& event : events.events()) {
      if (event.has_began()) {
        began = true;
        EXPECT_EQ(event.began().user_id(), "ann");
        EXPECT_EQ(event.began().address(), "127.0.0.1");
      }
      if (event.has_ended()) {
        ended = true;
        EXPECT_EQ(event.ended().outcome(), "OK");
      }
    }
  }
  EXPECT_TRUE(began);
  EXPECT_TRUE(ended);
}

TEST_P(AdminStreamTest, EventsOverTheLimitAreCounted) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  GrpcClient client(crierd.admin());
  GrpcStream watch(client.channel(), "/crier.v1.Admin/WatchEvents", {});
  v1::WatchEventsRequest request;
  request.set_max_events_per_second(1);
  watch.Send(request);
  watch.CloseSending();
  uint64_t left_out = 0;
  for (int i = 0; i < 10 && left_out == 0; ++i) {
    for (int j = 0; j < 20; ++j) Connect(crierd, "ann").CloseNicely();
    v1::AdminEvents events;
    ASSERT_TRUE(events.ParseFromString(watch.NextBytes()));
    EXPECT_LE(events.events_size(), 1);
    left_out += events.left_out();
  }
  EXPECT_GT(left_out, 0u);
}

TEST_P(AdminStreamTest, AStreamNeedsTheClaimToo) {
  CrierdProcess crierd(WithKeys());
  ASSERT_TRUE(crierd.ready());
  GrpcClient client(crierd.admin());
  for (const char* method : {"WatchStats", "WatchEvents"}) {
    const std::string path = absl::StrCat("/crier.v1.Admin/", method);
    GrpcStream none(client.channel(), path, {});
    EXPECT_EQ(none.Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
    GrpcStream other(client.channel(), path, Authorization(TokenFor("bob")));
    EXPECT_EQ(other.Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
}

}  // namespace
}  // namespace crier::testing
