// Where the Redis servers of a cluster are, as --cluster_url writes it.
//
//   redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
//   rediss://...                                       the same inside of TLS
//   redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/MASTER[/DATABASE]
//
// Behind it, "?prefix=TEXT" sets what all keys and channels begin with, and "?ca=FILE" (rediss
// only) names the certificates in PEM that the server's has to lead to, in place of the system's.
// Several servers have a comma between them. A comma begins the next server where a scheme follows
// it ("redis://"); any other one stands between two sentinels. USER, PASSWORD, MASTER and what the
// query has can be percent-encoded; an IPv6 address has brackets. Sentinels are given the same user
// and password as the master, and may want none.
#ifndef CRIER_SERVER_CLUSTER_REDIS_ADDRESS_H_
#define CRIER_SERVER_CLUSTER_REDIS_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace crier {

struct HostPort {
  std::string host{};  // without brackets
  uint16_t port = 0;

  // "127.0.0.1:6379", "[::1]:6379".
  std::string Text() const;
  bool operator==(const HostPort&) const = default;
};

// One Redis server, or one master that sentinels watch.
struct RedisAddress {
  std::string host{};  // empty where there are sentinels: they know it
  uint16_t port = 6379;
  // The password empty: no login. The user empty: Redis's default user.
  std::string user{};
  std::string password{};
  int database = 0;
  bool tls = false;
  // Certificates in PEM that the server's has to lead to. Empty: the system's.
  std::string ca_file{};
  // Not empty: they are asked where the master is. 26379 is their port where none is written.
  std::vector<HostPort> sentinels{};
  std::string master_name{};

  // For logs and to tell servers apart, without user and password: "redis://host:6379/0",
  // "redis+sentinel://a:26379,b:26379/master/0".
  std::string Text() const;
};

struct ClusterUrl {
  std::vector<RedisAddress> servers;  // at least one, none twice
  std::string prefix = "crier:";
};

// InvalidArgumentError: it names what is wrong and what would be right. It never shows a password.
absl::StatusOr<ClusterUrl> ParseClusterUrl(std::string_view text);

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_ADDRESS_H_
