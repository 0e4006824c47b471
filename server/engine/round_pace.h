// How closely rounds follow one another on a busy shard.
//
// A round gives each session that a broadcast to many has made ready one turn. On a busy shard the
// next round begins as soon as the last one ends, and each write carries what came in between.
// Where that is several events per write anyway, the shard is better off with fewer and longer
// writes: a write costs the kernel some 4 us, and each event in it some 0.2 us
// (docs/benchmarks.md). So after such a round the next one waits, for a part of the time that the
// round took. Rounds of few events per session never make anything wait.
#ifndef CRIER_SERVER_ENGINE_ROUND_PACE_H_
#define CRIER_SERVER_ENGINE_ROUND_PACE_H_

#include <cstdint>

#include "server/base/clock.h"

namespace crier {

// Not thread-safe.
class RoundPace {
 public:
  // A round is deep whose sessions are owed so many events each.
  static constexpr uint64_t kDeep = 4;

  // `clock` outlives the pace. `most`: what a round waits at most; zero: rounds never wait.
  RoundPace(const Clock& clock, Duration most) : clock_(clock), most_(most) {}

  // A round begins. `depth`: the most events that any of its sessions has come to be owed of a
  // topic since the round before.
  void Begin(uint64_t depth);
  // It is over.
  void End();
  // How long a round that could begin now has to wait; zero: not at all.
  Duration Wait() const;

 private:
  const Clock& clock_;
  const Duration most_;
  TimePoint began_{};       // of the round, where it is deep
  TimePoint not_before_{};  // set: the next round begins then
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_ROUND_PACE_H_
