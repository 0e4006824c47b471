// Numbers of this server, as crier.v1.Admin has them.
#ifndef CRIER_SERVER_ADMIN_STATS_H_
#define CRIER_SERVER_ADMIN_STATS_H_

#include "crier/v1/admin.pb.h"
#include "server/engine/engine.h"

namespace crier {

// As of now. Thread-safe.
void DescribeStats(const Engine& engine, v1::Stats* stats);

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_STATS_H_
