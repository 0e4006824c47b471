// A server on gRPC's own library that does nothing else, to measure its cost. It uses the callback
// API and raw bytes. It speaks just enough of crier.v1.Messaging for `crier bench --transport
// grpc`: Connect greets, and a client's broadcast goes to every stream, with all events that have
// come in one write. It has one topic and no limits, and keeps everything, so it is not for long
// runs.
//
//   grpc_library     listens on a port of 127.0.0.1 that the system chooses, and says which;
//                    ends on SIGTERM or SIGINT
#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdio>
#include <list>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "crier/v1/messaging.grpc.pb.h"

namespace crier {
namespace {

using Service = v1::Messaging::WithRawCallbackMethod_Connect<v1::Messaging::Service>;

// A ServerFrame's encoding; several, end to end, are one frame.
grpc::Slice Encoded(const v1::ServerFrame& frame) { return {frame.SerializeAsString()}; }

class Floor final : public Service {
 public:
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Connect(
      grpc::CallbackServerContext*) override {
    auto* stream = new Stream(this);
    stream->Begin();
    return stream;
  }

 private:
  class Stream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Stream(Floor* floor) : floor_(*floor) {}

    void Begin() {
      const std::lock_guard lock(floor_.mutex_);
      place_ = floor_.streams_.insert(floor_.streams_.end(), this);
      next_ = floor_.events_.size();
      v1::ServerFrame frame;
      frame.add_events()->mutable_welcome()->set_server("grpc_library");
      Write({Encoded(frame)});
      StartRead(&read_);
    }

    void OnReadDone(bool ok) override {
      if (!ok) return;  // OnCancel follows
      grpc::Slice bytes;
      v1::ClientFrame frame;
      if (read_.DumpToSingleSlice(&bytes).ok() &&
          frame.ParseFromArray(bytes.begin(), static_cast<int>(bytes.size())) &&
          frame.has_publish()) {
        floor_.SendToAll(frame.mutable_publish());
      }
      read_.Clear();
      const std::lock_guard lock(floor_.mutex_);
      if (!over_) StartRead(&read_);
    }

    void OnWriteDone(bool ok) override {
      const std::lock_guard lock(floor_.mutex_);
      writing_ = false;
      if (ok) WriteWhatIsNew();
    }

    void OnCancel() override {
      const std::lock_guard lock(floor_.mutex_);
      floor_.streams_.erase(place_);
      over_ = true;
      Finish(grpc::Status::CANCELLED);
    }

    void OnDone() override { delete this; }

    // REQUIRES: floor_.mutex_ is held.
    void WriteWhatIsNew() {
      const std::vector<grpc::Slice>& events = floor_.events_;
      if (writing_ || over_ || next_ == events.size()) return;
      Write({events.begin() + static_cast<ptrdiff_t>(std::exchange(next_, events.size())),
             events.end()});
    }

   private:
    void Write(const std::vector<grpc::Slice>& slices) {
      grpc::ByteBuffer buffer(slices.data(), slices.size());
      write_.Swap(&buffer);
      writing_ = true;
      StartWrite(&write_);
    }

    Floor& floor_;
    std::list<Stream*>::iterator place_;
    size_t next_ = 0;
    bool writing_ = false;
    bool over_ = false;
    grpc::ByteBuffer read_;
    grpc::ByteBuffer write_;
  };

  void SendToAll(v1::Message* message) {
    const std::lock_guard lock(mutex_);
    message->set_offset(events_.size() + 1);
    message->set_epoch(1);
    v1::ServerFrame frame;
    frame.add_events()->mutable_message()->Swap(message);
    events_.push_back(Encoded(frame));
    for (Stream* stream : streams_) stream->WriteWhatIsNew();
  }

  std::mutex mutex_;
  std::list<Stream*> streams_;
  std::vector<grpc::Slice> events_;
};

}  // namespace
}  // namespace crier

int main() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  // Before there are threads, which inherit it.
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  crier::Floor floor;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.RegisterService(&floor);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "grpc_library: gRPC did not start (its log says why)\n");
    return 1;
  }
  std::printf("grpc_library ready grpc=127.0.0.1:%d\n", port);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ending, &signal);
  std::_Exit(0);  // with streams open, gRPC would wait for their clients
}
