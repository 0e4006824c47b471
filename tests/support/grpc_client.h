// A gRPC client for tests: blocking, with a deadline on everything, one thread.
//
// It sends and receives bytes instead of using the generated stubs. So tests can send bytes that
// are not a frame, and see which events came in one frame.
#ifndef CRIER_TESTS_SUPPORT_GRPC_CLIENT_H_
#define CRIER_TESTS_SUPPORT_GRPC_CLIENT_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crier/v1/messaging.pb.h"
#include "tests/support/frames.h"

namespace crier::testing {

// How long anything may take before a test fails.
inline constexpr std::chrono::seconds kPatience{10};

using Metadata = std::multimap<std::string, std::string>;

// The outcome's name in a status's google.rpc.ErrorInfo; empty: it has none of domain "crier".
std::string ReasonOf(const grpc::Status& status);
// A value of that ErrorInfo's metadata; empty: there is none.
std::string MetadataOf(const grpc::Status& status, const std::string& key);

// One streaming call. Reads only when it is asked for something, so a test that does not ask is a
// client that does not read. Cancels in its destructor.
class GrpcStream {
 public:
  GrpcStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
             const Metadata& metadata);
  ~GrpcStream();
  GrpcStream(const GrpcStream&) = delete;
  GrpcStream& operator=(const GrpcStream&) = delete;

  // False: the call is over.
  bool Send(const google::protobuf::MessageLite& frame);
  bool SendBytes(const std::string& bytes);
  // Closes the sending side.
  bool CloseSending();

  // The next event; nullopt: the call is over, or nothing came in time.
  std::optional<v1::Event> Next(std::chrono::milliseconds patience = kPatience);
  // The next event of this kind. Others keep their place for a later call. If none comes, the test
  // fails and the result is empty.
  v1::Event Next(v1::Event::EventCase kind);
  v1::Welcome NextWelcome() { return Next(v1::Event::kWelcome).welcome(); }
  v1::Message NextMessage() { return Next(v1::Event::kMessage).message(); }
  v1::Ack NextAck() { return Next(v1::Event::kAck).ack(); }
  v1::Error NextError() { return Next(v1::Event::kError).error(); }
  v1::Gap NextGap() { return Next(v1::Event::kGap).gap(); }
  v1::Presence NextPresence() { return Next(v1::Event::kPresence).presence(); }
  v1::Pong NextPong() { return Next(v1::Event::kPong).pong(); }
  // The bytes of the next message, for calls that bring something else than ServerFrames; empty: as
  // above.
  std::string NextBytes();
  // Sends a ping and reads everything up to its pong. All frames sent before have then been
  // handled.
  void Settle();

  // Drops what still comes and returns the call's status.
  grpc::Status Finish();
  // A field of the trailers; empty: it has none. REQUIRES: Finish has returned.
  std::string Trailer(const std::string& name) const;
  void Cancel() { context_.TryCancel(); }

  // Frames read so far, and the events in them.
  size_t frames() const { return frames_; }
  size_t events() const { return events_; }

 private:
  enum Tag : intptr_t { kStart = 1, kRead, kWrite, kHalfClose, kFinish };
  // Waits until the operation is done; nullopt: not in time.
  std::optional<bool> Await(Tag tag, std::chrono::milliseconds patience = kPatience);
  // Waits until the call has left; false: not in time, or it is over.
  bool Started(std::chrono::milliseconds patience);
  // Reads one message into incoming_.
  bool Read(std::chrono::milliseconds patience);
  // Reads one frame into pending_.
  bool ReadFrame(std::chrono::milliseconds patience);

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  std::map<Tag, bool> done_;
  grpc::ByteBuffer incoming_;
  bool started_ = false;
  bool reading_ = false;
  bool over_ = false;
  std::optional<grpc::Status> status_;
  std::deque<v1::Event> pending_;
  size_t frames_ = 0;
  size_t events_ = 0;
};

// One connection to a server.
class GrpcClient {
 public:
  explicit GrpcClient(const std::string& address, const grpc::ChannelArguments& arguments = {});

  // `user`: empty: none in the metadata.
  std::unique_ptr<GrpcStream> Connect(const std::string& user = "", Metadata metadata = {});
  std::unique_ptr<GrpcStream> Subscribe(const v1::SubscribeRequest& request,
                                        const std::string& user = "");

  grpc::Status Publish(const v1::Message& message, v1::PublishResponse* response,
                       const std::string& user = "");
  grpc::Status History(const v1::HistoryRequest& request, v1::HistoryResponse* response);
  // Any unary call.
  grpc::Status Call(const std::string& method, const std::string& request, std::string* response,
                    const Metadata& metadata = {});

  // What grpc.health.v1.Health says: "SERVING", "NOT_SERVING", ..., or the name of the status.
  std::string Health(const std::string& service = "");

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_GRPC_CLIENT_H_
