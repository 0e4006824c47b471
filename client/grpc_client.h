// A session over a gRPC stream.
#ifndef CRIER_CLIENT_GRPC_CLIENT_H_
#define CRIER_CLIENT_GRPC_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <string>

#include "client/client.h"
#include "crier/v1/messaging.grpc.pb.h"

namespace crier::client {

// One Connect stream with its own completion queue. Unlike a blocking stream, the queue can be
// waited for with a deadline.
class GrpcClient : public Client {
 public:
  // UNAVAILABLE: there is no session.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& address,
                                                         const ConnectOptions& options);
  ~GrpcClient() override;

  GrpcClient(const GrpcClient&) = delete;
  GrpcClient& operator=(const GrpcClient&) = delete;

  absl::Status Send(const v1::ClientFrame& frame) override;
  absl::StatusOr<v1::Event> Receive(absl::Time deadline) override;
  void Close() override;

 private:
  enum Step : intptr_t { kNone, kStart, kRead, kWrite, kWritesDone, kFinish };

  GrpcClient() = default;

  // Waits for one step to complete and handles it. kNone: the deadline came first.
  Step Next(absl::Time deadline, bool* ok);
  void StartRead();
  // Asks for the status of a stream that has ended.
  absl::Status Finish();

  std::unique_ptr<v1::Messaging::Stub> stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::ClientFrame, v1::ServerFrame>> stream_;
  v1::ServerFrame incoming_;
  std::deque<v1::Event> events_;
  bool read_pending_ = false;
  bool write_pending_ = false;
  absl::Status ended_;  // Not OK: the session is over.
};

}  // namespace crier::client

#endif  // CRIER_CLIENT_GRPC_CLIENT_H_
