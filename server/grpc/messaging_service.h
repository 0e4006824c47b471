// The streams of crier.v1.Messaging: sessions of the engine. Its unary methods are
// service/messaging_methods.h.
#ifndef CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_
#define CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_

#include <atomic>
#include <memory>

#include "server/grpc/call.h"
#include "server/grpc/method_table.h"

namespace crier {

// Runs on: the call's shard thread, all calls.
class MessagingService {
 public:
  // This object has to outlive every use of the table.
  void Register(MethodTable* methods);

  // Refuses new sessions from now on, with SHUTDOWN. Thread-safe.
  void RefuseSessions() { refusing_.store(true, std::memory_order_relaxed); }

 private:
  std::unique_ptr<CallHandler> Connect(Call* call);
  std::unique_ptr<CallHandler> Subscribe(Call* call);
  // Finishes the call if no session may begin.
  bool Refused(Call* call) const;

  std::atomic<bool> refusing_{false};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_
