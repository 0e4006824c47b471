// The ids of a shard's sessions, in order, so that they can be walked page by page: a table by hash
// has no place to go on from. Small: ids are given out one after the other, so most of a shard's
// stand close together, and a word holds sixty-four.
#ifndef CRIER_SERVER_ENGINE_SESSION_INDEX_H_
#define CRIER_SERVER_ENGINE_SESSION_INDEX_H_

#include <bit>
#include <cstdint>

#include "absl/container/btree_map.h"

namespace crier {

// Runs on: shard thread.
class SessionIndex {
 public:
  void Add(uint64_t id) { words_[id / kBits] |= BitOf(id); }
  void Remove(uint64_t id) {
    const auto found = words_.find(id / kBits);
    if (found == words_.end()) return;
    found->second &= ~BitOf(id);
    if (found->second == 0) words_.erase(found);
  }
  // The smallest id above `after`; 0: there is none. Time: a look into the tree.
  uint64_t Next(uint64_t after) const {
    const uint64_t first = after + 1;
    auto word = words_.lower_bound(first / kBits);
    if (word != words_.end() && word->first == first / kBits) {
      const uint64_t left = word->second >> (first % kBits);
      if (left != 0) return first + static_cast<uint64_t>(std::countr_zero(left));
      ++word;
    }
    if (word == words_.end()) return 0;
    return word->first * kBits + static_cast<uint64_t>(std::countr_zero(word->second));
  }

 private:
  static constexpr uint64_t kBits = 64;
  static uint64_t BitOf(uint64_t id) { return uint64_t{1} << (id % kBits); }

  absl::btree_map<uint64_t, uint64_t> words_;  // none is 0
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SESSION_INDEX_H_
