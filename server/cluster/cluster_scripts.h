// What nodes let Redis do in one step. The order of a topic is the order in which Redis runs these.
//
// A topic's place is one value, head and bytes of its events as two little-endian numbers of 64
// bits, and then its epoch as text: microseconds since 1970, by Redis's own clock.
//
// The life of a Redis: its number is older than every epoch that begins in it, and younger than all
// before. It begins anew with each start of the process and with each promotion of a replica, when
// nobody can say whether the last writes are still there. So an epoch that is older than the life
// is over, whatever was kept of it.
#ifndef CRIER_SERVER_CLUSTER_CLUSTER_SCRIPTS_H_
#define CRIER_SERVER_CLUSTER_CLUSTER_SCRIPTS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/cluster/redis_script.h"
#include "server/engine/options.h"

namespace crier {

// A place in a topic.
struct TopicPlace {
  uint64_t epoch = 0;  // 0: none is known
  uint64_t head = 0;

  // Of the topic's value in Redis; empty: there is none.
  static TopicPlace Parse(std::string_view value);
};

// Immutable, so thread-safe.
struct ClusterScripts {
  // `life_key`: ClusterKeys::LifeKey. Limits are written into the scripts: so Redis need not read
  // them each time.
  ClusterScripts(std::string_view life_key, const LogLimits& limits,
                 std::chrono::milliseconds remembered_for);

  // Says which life this is, and notes that it has begun. On each connection before all else. No
  // keys, no arguments. Returns {its number as text, how many keys were evicted so far}.
  const RedisScript life;

  // Publishes to a topic. Keys: the topic's, that of its events, and the id's where there is one.
  // Arguments: channel, message, life. Returns {epoch, offset, 1 where the id was there already,
  // nodes that follow}.
  const RedisScript publish;

  // Publishes to a user. Keys: the id's, where there is one. Arguments: channel, message. Returns
  // {1 where the id was there already, nodes that have the user}.
  const RedisScript direct;

  // Reads a topic's past. Keys: the topic's, that of its events. Arguments: the first offset, most
  // events and bytes. Returns {epoch, head, the oldest offset kept or head + 1, messages}.
  const RedisScript past;

  // Begins a new epoch where the topic's is older than the life, or where it is behind the place
  // that the node has seen; with the last argument 1 also where it is not, unless the epoch is a
  // later one already. Keys: the topic's, that of its events. Arguments: channel, that place
  // (epoch, offset), life, 0 or 1. Returns {epoch, head, 1 where the epoch is new}.
  const RedisScript renew;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_CLUSTER_SCRIPTS_H_
