// The sends of one burst, submitted to the kernel together: a fan-out to a thousand sockets enters
// the kernel a few times instead of a thousand.
//
// An io_uring ring of the shard's own, used for nothing but this. Each send is non-blocking, so the
// kernel carries it out while it takes the submission, and its result is there when that returns:
// nothing is ever under way between two calls.
#ifndef CRIER_SERVER_TRANSPORT_SEND_BATCH_H_
#define CRIER_SERVER_TRANSPORT_SEND_BATCH_H_

#include <liburing.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace crier {

// Runs on: shard thread, all of it but the constructor.
class SendBatch {
 public:
  // Whose bytes are sent.
  class Sender {
   public:
    // The bytes taken, or a negative errno. May neither add to the batch nor destroy a sender.
    virtual void OnSent(ssize_t result) = 0;

   protected:
    ~Sender() = default;
  };

  SendBatch() = default;
  ~SendBatch();
  SendBatch(const SendBatch&) = delete;
  SendBatch& operator=(const SendBatch&) = delete;

  // Asks the kernel for a ring. An error says why there is none (an old kernel, a container's
  // seccomp filter): then nothing may be added. The calling thread is the one that submits.
  absl::Status Start();
  bool available() const { return available_; }

  // `bytes` and the socket have to stay as they are until Submit, which this calls where the batch
  // is full. REQUIRES: available; `sender` is not in the batch. A ring that fails is given up: its
  // senders get EAGAIN, and nothing is available any more.
  void Add(Sender* sender, int fd, std::string_view bytes);

  // Sends everything that was added, and tells each sender, in the order of adding.
  void Submit();

 private:
  void Stop();

  // Of the order of what a flush wakes at a time.
  static constexpr unsigned kEntries = 256;

  io_uring ring_{};
  bool available_ = false;
  size_t count_ = 0;
  std::array<Sender*, kEntries> senders_{};
  std::array<int, kEntries> results_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_SEND_BATCH_H_
