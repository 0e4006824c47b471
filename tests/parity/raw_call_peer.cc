#include "tests/parity/raw_call_peer.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/grpc/message_reader.h"

namespace crier::testing {
namespace {

Http2Client::Fields HeadOf(const Http2Client::Fields& more) {
  Http2Client::Fields fields = {
      {":method", "POST"},         {":scheme", "http"}, {":path", "/crier.v1.Messaging/Connect"},
      {":authority", "localhost"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

google::rpc::ErrorInfo InfoIn(const std::string& details) {
  std::string bytes;
  google::rpc::Status status;
  google::rpc::ErrorInfo info;
  if (absl::Base64Unescape(details, &bytes) && status.ParseFromString(bytes) &&
      status.details_size() == 1) {
    status.details(0).UnpackTo(&info);
  }
  return info;
}

}  // namespace

RawCallPeer::RawCallPeer(const std::string& address, const Http2Client::Fields& more)
    : client_(address), stream_(client_.Start(HeadOf(more))) {
  if (!more.empty()) return;
  EXPECT_TRUE(client_.Await([this] { return !client_.stream(stream_).data.empty(); }));
}

void RawCallPeer::Send(const v1::ClientFrame& frame) {
  const std::string message = frame.SerializeAsString();
  std::string bytes;
  AppendMessagePrefix(message.size(), &bytes);
  SendRaw(bytes + message);
}

v1::Event RawCallPeer::Next() {
  ADD_FAILURE() << "a raw call has no events";
  return {};
}

Ending RawCallPeer::WaitForEnd() {
  const Http2Client::Stream& stream = client_.AwaitEnd(stream_);
  const std::string code = stream.Find("grpc-status");
  const google::rpc::ErrorInfo info = InfoIn(stream.Find("grpc-status-details-bin"));
  const auto retry_after = info.metadata().find("retry_after_ms");
  constexpr int kUnknown = 2;  // what gRPC's libraries make of an end without a status
  return {.code = code.empty() ? kUnknown : std::stoi(code),
          .outcome = info.reason(),
          .retry_after_ms = retry_after == info.metadata().end() ? "" : retry_after->second,
          .pushback_ms = stream.Find("grpc-retry-pushback-ms")};
}

}  // namespace crier::testing
