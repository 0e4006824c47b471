// The flags for a cluster of nodes.
#ifndef CRIER_SERVER_CLUSTER_FLAGS_H_
#define CRIER_SERVER_CLUSTER_FLAGS_H_

#include <span>
#include <string>
#include <string_view>

#include "server/cluster/cluster_options.h"
#include "server/flag_help.h"
#include "server/flag_reader.h"

namespace crier {

void ReadCluster(FlagReader* reader, ClusterOptions* options);

std::span<const FlagHelp> ClusterFlags();

// The value of --cluster_url with *** in place of passwords, for people.
std::string WithoutPasswords(std::string_view cluster_url);

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_FLAGS_H_
