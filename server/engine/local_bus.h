// The bus of one node: a publish goes to its home shard, in one hop or none.
#ifndef CRIER_SERVER_ENGINE_LOCAL_BUS_H_
#define CRIER_SERVER_ENGINE_LOCAL_BUS_H_

#include "server/engine/bus.h"

namespace crier {

class Engine;

class LocalBus final : public Bus {
 public:
  // `engine` outlives the bus.
  explicit LocalBus(Engine* engine) : engine_(engine) {}

  void Publish(Shard& from, Publication publication) override;

 private:
  Engine* const engine_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_LOCAL_BUS_H_
