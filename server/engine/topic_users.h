// The users whose sessions follow a topic: on all shards of this node, or on other nodes.
#ifndef CRIER_SERVER_ENGINE_TOPIC_USERS_H_
#define CRIER_SERVER_ENGINE_TOPIC_USERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/base/string_map.h"

namespace crier {

// Runs on: the topic's home shard.
class TopicUsers {
 public:
  // One more session of this user. True: it is the first.
  bool Add(const std::string& user);
  // One less. True: it was the last.
  bool Remove(const std::string& user);

  size_t count() const { return users_.size(); }
  bool Has(std::string_view user) const { return users_.contains(user); }
  // Adds them, until it names `most`. `without`: those that others name; null: nobody.
  void Describe(size_t most, v1::Presence* presence, const TopicUsers* without = nullptr) const;
  // What they take besides this object, in bytes.
  size_t memory() const;

 private:
  StringMap<uint32_t> users_;  // sessions
  size_t name_bytes_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_TOPIC_USERS_H_
