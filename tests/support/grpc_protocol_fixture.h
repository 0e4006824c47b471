// gRPC calls by hand: what a gRPC library would make of them, as fields and bytes of HTTP/2.
#ifndef CRIER_TESTS_SUPPORT_GRPC_PROTOCOL_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_GRPC_PROTOCOL_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "crier/v1/messaging.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/grpc/message_reader.h"
#include "tests/support/frames.h"
#include "tests/support/grpc_server_fixture.h"
#include "tests/support/http2_client.h"

// GCC takes every reference that a function returns for one into a temporary among its arguments.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 13
#pragma GCC diagnostic ignored "-Wdangling-reference"
#endif

namespace crier::testing {

inline constexpr std::string_view kConnect = "/crier.v1.Messaging/Connect";
inline constexpr std::string_view kSubscribe = "/crier.v1.Messaging/Subscribe";
inline constexpr std::string_view kPublish = "/crier.v1.Messaging/Publish";
inline constexpr std::string_view kHistory = "/crier.v1.Messaging/History";

class GrpcProtocolTest : public GrpcServerTest {
 protected:
  using Fields = Http2Client::Fields;
  using Stream = Http2Client::Stream;

  std::string address() { return server().addresses(); }

  // --- Requests.

  // The head of a call, as every gRPC client sends it.
  static Fields HeadOf(std::string_view path, const Fields& more = {}) {
    Fields fields = {{":method", "POST"},          {":scheme", "http"},
                     {":path", std::string(path)}, {":authority", "localhost"},
                     {"te", "trailers"},           {"content-type", "application/grpc"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  // A message as it lies in DATA.
  static std::string Framed(std::string_view message, char flag = 0) {
    std::string bytes;
    AppendMessagePrefix(message.size(), &bytes);
    bytes[0] = flag;
    return bytes.append(message);
  }
  static std::string Framed(const google::protobuf::MessageLite& message) {
    return Framed(message.SerializeAsString());
  }
  static v1::PublishRequest RequestOf(v1::Message message) {
    v1::PublishRequest request;
    *request.mutable_message() = std::move(message);
    return request;
  }

  // A whole call with one request. Its stream, once that has its end.
  static const Stream& Call(Http2Client* client, std::string_view path, const std::string& request,
                            const Fields& more = {}) {
    const int32_t id = client->Start(HeadOf(path, more));
    client->Send(id, Framed(request), true);
    return client->AwaitEnd(id);
  }
  static const Stream& Publish(Http2Client* client, v1::Message message) {
    const Stream& stream =
        Call(client, kPublish, RequestOf(std::move(message)).SerializeAsString());
    EXPECT_EQ(CodeOf(stream), 0) << stream.Find("grpc-message");
    return stream;
  }

  // A session that has had its welcome. Its stream.
  static int32_t OpenSession(Http2Client* client, const Fields& more = {}) {
    const int32_t id = client->Start(HeadOf(kConnect, more));
    AwaitEvents(client, id, 1);
    return id;
  }
  // The same, following a topic: its first two events are Welcome and Ack.
  static int32_t OpenSessionOn(Http2Client* client, std::string_view topic) {
    const int32_t id = OpenSession(client);
    client->Send(id, Framed(Subscribe(topic, "follow")));
    AwaitEvents(client, id, 2);
    return id;
  }

  // --- Responses.

  // The whole messages that have come.
  static std::vector<std::string> MessagesIn(const Stream& stream) {
    std::vector<std::string> messages;
    MessageReader reader;
    TakeMessages(&reader, stream.data, &messages);
    return messages;
  }
  static std::vector<v1::Event> EventsIn(const Stream& stream) {
    std::vector<v1::Event> events;
    for (const std::string& message : MessagesIn(stream)) AddEvents(message, &events);
    return events;
  }
  // Waits for this many messages in all and returns them. The test fails if they do not come.
  static std::vector<std::string> AwaitMessages(Http2Client* client, int32_t id, size_t count) {
    std::vector<std::string> messages;
    AwaitEach(client, id, [&](std::string message) {
      messages.push_back(std::move(message));
      return messages.size() >= count;
    });
    EXPECT_GE(messages.size(), count)
        << "grpc-message: " << client->stream(id).Find("grpc-message");
    messages.resize(count);
    return messages;
  }
  // The same for the events of a session.
  static std::vector<v1::Event> AwaitEvents(Http2Client* client, int32_t id, size_t count) {
    std::vector<v1::Event> events;
    AwaitEach(client, id, [&](const std::string& message) {
      AddEvents(message, &events);
      return events.size() >= count;
    });
    EXPECT_GE(events.size(), count) << "grpc-message: " << client->stream(id).Find("grpc-message");
    events.resize(count);
    return events;
  }

  // The status; -1: none has come.
  static int CodeOf(const Stream& stream) {
    const std::string code = stream.Find("grpc-status");
    return code.empty() ? -1 : std::stoi(code);
  }
  // The outcome's name in the status; empty: it has none of domain "crier".
  static std::string ReasonOf(const Stream& stream) {
    std::string bytes;
    google::rpc::Status details;
    google::rpc::ErrorInfo info;
    if (!absl::Base64Unescape(stream.Find("grpc-status-details-bin"), &bytes) ||
        !details.ParseFromString(bytes) || details.details_size() != 1 ||
        !details.details(0).UnpackTo(&info) || info.domain() != "crier") {
      return "";
    }
    return info.reason();
  }

 private:
  static void TakeMessages(MessageReader* reader, std::string_view bytes,
                           std::vector<std::string>* messages) {
    reader->Feed(bytes);
    while (const auto message = reader->Next(SIZE_MAX)) messages->emplace_back(*message);
    EXPECT_EQ(reader->error(), nullptr) << "the server sent no messages";
  }
  static void AddEvents(const std::string& message, std::vector<v1::Event>* events) {
    v1::ServerFrame frame;
    EXPECT_TRUE(frame.ParseFromString(message)) << "the server sent no ServerFrame";
    events->insert(events->end(), frame.events().begin(), frame.events().end());
  }
  // Calls `enough(message)` for each message of the stream from its first on, as they come, until
  // it returns true.
  template <class Enough>
  static void AwaitEach(Http2Client* client, int32_t id, Enough enough) {
    MessageReader reader;
    size_t read = 0;
    client->Await([&] {
      const std::string& data = client->stream(id).data;
      std::vector<std::string> messages;
      TakeMessages(&reader, std::string_view(data).substr(std::exchange(read, data.size())),
                   &messages);
      bool is_enough = false;
      for (std::string& message : messages) is_enough |= enough(std::move(message));
      return is_enough;
    });
  }
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_GRPC_PROTOCOL_FIXTURE_H_
