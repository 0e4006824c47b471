// grpc.health.v1.Health: says whether the server and crier.v1.Messaging serve (gRPC's
// doc/health-checking.md).
#ifndef CRIER_SERVER_GRPC_HEALTH_SERVICE_H_
#define CRIER_SERVER_GRPC_HEALTH_SERVICE_H_

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <string_view>
#include <vector>

#include "server/engine/shard.h"
#include "server/grpc/call.h"
#include "server/grpc/method_table.h"

namespace crier {

// A call of Watch, linked into its shard's list.
using WatchHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class HealthWatch;

// Runs on: the call's shard thread, unless a comment says otherwise.
class HealthService {
 public:
  explicit HealthService(size_t shards);
  ~HealthService();

  // This object outlives the table's use.
  void Register(MethodTable* methods);

  // NOT_SERVING at first. Call Tell on each shard afterwards. Thread-safe.
  void SetReady(bool ready) { ready_.store(ready, std::memory_order_relaxed); }
  // Tells the watching calls of this shard.
  void Tell(const Shard& shard);

 private:
  friend class HealthWatch;
  using Watches = boost::intrusive::list<HealthWatch, boost::intrusive::base_hook<WatchHook>,
                                         boost::intrusive::constant_time_size<false>>;

  void Check(Call* call, std::string_view request) const;
  // A HealthCheckResponse's status.
  int StatusNow() const;

  std::atomic<bool> ready_{false};
  std::vector<Watches> watches_;  // by shard
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_HEALTH_SERVICE_H_
