// Whether and how a node is part of a cluster: what its flags say (server/cluster_flags.h).
#ifndef CRIER_SERVER_CLUSTER_CLUSTER_OPTIONS_H_
#define CRIER_SERVER_CLUSTER_CLUSTER_OPTIONS_H_

#include <chrono>
#include <string>

#include "server/cluster/redis_address.h"

namespace crier {

struct ClusterOptions {
  // Without servers: the node is alone.
  ClusterUrl url;
  // A server that says nothing for so long counts as away.
  std::chrono::milliseconds timeout{2000};
  // How long a node waits at its start for all servers.
  std::chrono::milliseconds start_timeout{10'000};
  // Not ready (/readyz, gRPC's health) while a server is away.
  bool readiness = false;

  bool enabled() const { return !url.servers.empty(); }
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_CLUSTER_OPTIONS_H_
