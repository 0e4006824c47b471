// crier.v1.Messaging: its calls, as work for the engine.
#ifndef CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_
#define CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "server/engine/engine.h"
#include "server/grpc/call.h"
#include "server/grpc/method_table.h"

namespace crier {

// Runs on: the call's shard thread, all calls.
class MessagingService {
 public:
  // `engine` outlives the calls.
  explicit MessagingService(Engine* engine) : engine_(*engine) {}

  // This object outlives the table's use.
  void Register(MethodTable* methods);

  // Refuses new sessions from now on, with SHUTDOWN. Thread-safe.
  void RefuseSessions() { refusing_.store(true, std::memory_order_relaxed); }

 private:
  std::unique_ptr<CallHandler> Connect(Call* call);
  std::unique_ptr<CallHandler> Subscribe(Call* call);
  void Publish(Call* call, std::string_view request, const std::string& user_id);
  void History(Call* call, std::string_view request);
  // Finishes the call where no session may begin.
  bool Refused(Call* call) const;

  Engine& engine_;
  std::atomic<bool> refusing_{false};
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_MESSAGING_SERVICE_H_
