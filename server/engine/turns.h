// In which order the sessions of a shard get to send.
//
// Sessions with answers go first. Those that a broadcast to many has made ready have their turns in
// rounds: each has one turn in a round, and who becomes ready meanwhile has one in the next.
#ifndef CRIER_SERVER_ENGINE_TURNS_H_
#define CRIER_SERVER_ENGINE_TURNS_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/base/clock.h"
#include "server/engine/round_pace.h"
#include "server/engine/session.h"

namespace crier {

// Runs on: shard thread. A session is in one of the lists at most, and leaves it by itself when it
// is destroyed.
class Turns {
 public:
  // After so many turns, or turns that lent so many bytes, other handlers run: a broadcast to many
  // thousands must not keep a newly readable socket waiting, nor must those that resume.
  static constexpr int kPerRun = 256;
  static constexpr size_t kBytesPerRun = 1 << 20;
  // Of these, sessions with answers go first, but not so many that broadcasts would stand still.
  static constexpr int kMostFirst = 192;

  // `clock` outlives the turns. `gather_time`: see EngineOptions. `pause_is_over` is called when
  // MayBroadcast, which said no because of a pause, says yes.
  // `loan` is the shard's.
  Turns(boost::asio::io_context& io, const Clock& clock, Duration gather_time, Loan* loan,
        absl::AnyInvocable<void()> pause_is_over);

  void AddFirst(Session* session) { first_.push_back(*session); }
  void Add(Session* session) { next_round_.push_back(*session); }

  // Calls `submit` at the end of each Run.
  void AfterRun(absl::AnyInvocable<void()> submit) { after_run_.push_back(std::move(submit)); }

  bool round_is_over() const { return round_.empty(); }
  // False in the pause after a deep round (round_pace.h).
  bool MayBroadcast();
  // Everybody who was added is in the round that begins. `depth`: see RoundPace::Begin; zero where
  // it is none of broadcasts.
  void BeginRound(uint64_t depth);
  // Gives turns (Session::Wake), at most kPerRun of them.
  void Run();

  // A moment at which everybody who waits now has had a turn, and a second one where the first was
  // not enough.
  struct Mark {
    uint64_t first;  // so many turns of those with answers are over
    uint64_t round;  // and this round
  };
  Mark MarkWaiting() const { return {given_first_ + first_.size(), rounds_ + 2}; }
  // Also where nobody waits any more.
  bool Reached(const Mark& mark) const {
    if (!waiting()) return true;
    return (first_.empty() || given_first_ >= mark.first) &&
           (rounds_ > mark.round || (rounds_ == mark.round && round_is_over()));
  }

  // Somebody waits for a turn.
  bool waiting() const { return !first_.empty() || !round_.empty() || !next_round_.empty(); }
  bool pausing() const { return pausing_; }

 private:
  using List = boost::intrusive::list<Session, boost::intrusive::base_hook<ReadyHook>,
                                      boost::intrusive::constant_time_size<false>>;

  List first_;
  List round_;
  List next_round_;
  std::vector<absl::AnyInvocable<void()>> after_run_;
  uint64_t rounds_ = 0;       // begun
  uint64_t given_first_ = 0;  // turns
  Loan& loan_;
  RoundPace pace_;
  bool pausing_ = false;
  boost::asio::steady_timer pause_;
  absl::AnyInvocable<void()> pause_is_over_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_TURNS_H_
