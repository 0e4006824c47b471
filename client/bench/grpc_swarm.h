// gRPC clients on one completion queue.
#ifndef CRIER_CLIENT_BENCH_GRPC_SWARM_H_
#define CRIER_CLIENT_BENCH_GRPC_SWARM_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "client/bench/proto_scanner.h"
#include "client/bench/swarm.h"

namespace crier::bench {

// Every client is a Connect stream. The streams are spread over `connections` channels in turn.
// Messages stay bytes: ProtoScanner reads them, and they never become objects. A session counts as
// open when its first event, Welcome, has come.
//
// gRPC's own timers are exact to a millisecond. Shorter waits are made of short sleeps.
class GrpcSwarm : public Swarm {
 public:
  GrpcSwarm(const SwarmOptions& options, std::shared_ptr<grpc::ChannelCredentials> credentials,
            SwarmHandler* handler);
  // Cancels the open streams and waits for their end.
  ~GrpcSwarm() override;

  GrpcSwarm(const GrpcSwarm&) = delete;
  GrpcSwarm& operator=(const GrpcSwarm&) = delete;

  void Open(uint32_t slot) override;
  bool is_open(uint32_t slot) const override;
  void Broadcast(uint32_t slot, size_t topic, std::string_view body) override;
  void Direct(uint32_t slot, std::string_view body) override;
  void Subscribe(uint32_t slot, size_t topic) override;
  void SetReading(uint32_t slot, bool reading) override;
  void Grant(uint32_t slot, size_t bytes) override;
  void Leave(uint32_t slot, uint16_t code) override;
  void Poll(int64_t deadline) override;
  uint64_t bytes_received() const override { return bytes_received_; }

 private:
  enum class Step : uint8_t { kStart, kRead, kWrite, kFinish };
  struct Call;
  struct Tag {
    Call* call;
    Step step;
  };
  // One stream, from Open until gRPC has returned every tag.
  struct Call {
    uint32_t slot = 0;
    bool open = false;
    bool started = false;  // The stream may be written to.
    bool reading = true;   // A read follows each read.
    bool read_pending = false;
    bool write_pending = false;
    bool finish_pending = false;
    bool left = false;  // The slot has forgotten this call.
    int pending = 0;    // Tags that gRPC holds.
    int64_t opened_at = 0;
    int64_t credit = 0;  // Bytes that a client which does not read may still take.
    std::string protocol_error;
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
    grpc::ByteBuffer incoming;
    std::deque<grpc::ByteBuffer> outgoing;
    grpc::Status status;
    Tag tags[4];
  };

  void Handle(Tag* tag, bool ok);
  void StartRead(Call* call);
  void StartFinish(Call* call);
  void Flush(Call* call);
  void Consume(Call* call);
  void Finished(Call* call);
  // Ends a call that its slot has left, when its messages are on their way.
  void CancelWhenWritten(Call* call);
  void Send(uint32_t slot, const v1::ClientFrame& frame);
  // Waits for one tag. False: none came before the deadline.
  bool Next(int64_t deadline, Tag** tag, bool* ok);

  SwarmHandler* const handler_;
  const std::string authorization_;  // of every call; empty: none
  const std::vector<std::string> topics_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<Call*> slots_;         // Null: empty.
  std::unordered_set<Call*> calls_;  // Owned.
  uint64_t bytes_received_ = 0;
  ProtoScanner scanner_;
  v1::ClientFrame frame_;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_GRPC_SWARM_H_
