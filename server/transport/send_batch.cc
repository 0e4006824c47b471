#include "server/transport/send_batch.h"

#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <utility>

namespace crier {

SendBatch::~SendBatch() { Stop(); }

void SendBatch::Stop() {
  if (std::exchange(available_, false)) io_uring_queue_exit(&ring_);
}

absl::Status SendBatch::Start() {
  io_uring_params params{};
  // No other thread submits. Completions need no interrupt: each is there when the submission
  // returns.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  const int error = io_uring_queue_init_params(kEntries, &ring_, &params);
  if (error < 0) return absl::ErrnoToStatus(-error, "io_uring_setup");
  available_ = true;
  return absl::OkStatus();
}

void SendBatch::Add(Sender* sender, int fd, std::string_view bytes) {
  assert(available_);
  if (count_ == kEntries) Submit();
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  io_uring_prep_send(entry, fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  entry->user_data = count_;
  senders_[count_++] = sender;
}

void SendBatch::Submit() {
  const size_t count = std::exchange(count_, 0);
  if (count == 0) return;
  // The result of a send that was not made. The sender waits until the socket is writable, which it
  // is.
  results_.fill(-EAGAIN);
  bool broken = false;
  for (size_t submitted = 0; submitted < count;) {
    const int taken = io_uring_submit_and_wait(&ring_, static_cast<unsigned>(count));
    if (taken == -EINTR) continue;
    if (taken <= 0) {
      broken = true;
      break;
    }
    submitted += static_cast<size_t>(taken);
  }
  io_uring_cqe* entry;
  unsigned head;
  unsigned seen = 0;
  io_uring_for_each_cqe(&ring_, head, entry) {
    results_[entry->user_data] = entry->res;
    ++seen;
  }
  io_uring_cq_advance(&ring_, seen);
  // The ring must not send its remaining entries later, when their memory is gone.
  if (broken) Stop();
  for (size_t i = 0; i < count; ++i) senders_[i]->OnSent(results_[i]);
}

}  // namespace crier
