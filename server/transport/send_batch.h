// Submits the sends of one burst to the kernel together. A fan-out to a thousand sockets then
// enters the kernel a few times instead of a thousand.
//
// Each shard has its own io_uring ring and uses it only for this. Each send is non-blocking: the
// kernel carries it out during the submission, and its result is there when the submission returns.
// So nothing is ever under way between two calls.
#ifndef CRIER_SERVER_TRANSPORT_SEND_BATCH_H_
#define CRIER_SERVER_TRANSPORT_SEND_BATCH_H_

#include <liburing.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace crier {

// Runs on: shard thread, except the constructor.
class SendBatch {
 public:
  // The owner of the bytes.
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
  // seccomp filter). Then nothing may be added. The calling thread has to be the one that submits.
  absl::Status Start();
  bool available() const { return available_; }

  // `bytes` and the socket have to stay unchanged until Submit. If the batch is full, Add calls
  // Submit. If the ring fails, it is not used again: its senders get EAGAIN, and available() is
  // false from then on. REQUIRES: available; `sender` is not in the batch.
  void Add(Sender* sender, int fd, std::string_view bytes);

  // Sends everything that was added, and tells each sender its result, in the order of adding.
  void Submit();

 private:
  void Stop();

  // About as many as a flush wakes at a time.
  static constexpr unsigned kEntries = 256;

  io_uring ring_{};
  bool available_ = false;
  size_t count_ = 0;
  std::array<Sender*, kEntries> senders_{};
  std::array<int, kEntries> results_{};
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_SEND_BATCH_H_
