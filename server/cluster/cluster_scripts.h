// What nodes let Redis do in one step. The order of a topic is the order in which Redis runs these.
#ifndef CRIER_SERVER_CLUSTER_CLUSTER_SCRIPTS_H_
#define CRIER_SERVER_CLUSTER_CLUSTER_SCRIPTS_H_

#include "server/cluster/redis_script.h"

namespace crier {

// All of them live for ever. Thread-safe.

// Publishes to a topic. Keys: the topic's, its stream, and the id's where there is one. Arguments:
// channel, message, the highest place that the node has seen there (epoch, offset), most events and
// bytes of the stream, milliseconds that an event is kept, and that an id is remembered.
// Returns {epoch, offset, 1 where the id was there already, nodes that follow}.
const RedisScript& PublishScript();

// Publishes to a user. Keys: the id's, where there is one. Arguments: channel, message,
// milliseconds that an id is remembered. Returns {1 where the id was there already, nodes that have
// the user}.
const RedisScript& DirectScript();

// Reads a topic's past. Keys: the topic's, its stream. Arguments: the first offset, most events and
// bytes. Returns {epoch, head, the oldest offset kept or head + 1, entries of the stream}.
const RedisScript& PastScript();

// Begins a new epoch where the topic is behind the place that the node has seen, or, with the last
// argument 1, in any case unless the epoch is another one already. Keys: the topic's, its stream.
// Arguments: channel, that place (epoch, offset), 0 or 1. Returns {epoch, head, 1 where the epoch
// is new}.
const RedisScript& RenewScript();

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_CLUSTER_SCRIPTS_H_
