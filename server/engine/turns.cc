#include "server/engine/turns.h"

#include <utility>

namespace crier {

Turns::Turns(boost::asio::io_context& io, const Clock& clock, Duration gather_time, Loan* loan,
             absl::AnyInvocable<void()> pause_is_over)
    : loan_(*loan),
      pace_(clock, gather_time),
      pause_(io),
      pause_is_over_(std::move(pause_is_over)) {}

bool Turns::MayBroadcast() {
  if (pausing_) return false;
  const Duration wait = pace_.Wait();
  if (wait == Duration::zero()) return true;
  pausing_ = true;
  pause_.expires_after(wait);
  pause_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    pausing_ = false;
    pause_is_over_();
  });
  return false;
}

void Turns::BeginRound(uint64_t depth) {
  if (depth > 0) pace_.Begin(depth);
  ++rounds_;
  round_.swap(next_round_);
}

void Turns::Run() {
  const bool round = !round_.empty();
  loan_.lent_in_turns = 0;
  for (int i = 0; i < kPerRun && loan_.lent_in_turns < kBytesPerRun; ++i) {
    const bool first = !first_.empty() && (i < kMostFirst || round_.empty());
    List& list = first ? first_ : round_;
    if (list.empty()) break;
    Session& session = list.front();
    list.pop_front();
    if (first) ++given_first_;
    session.Wake();
  }
  for (auto& submit : after_run_) submit();
  if (round && round_.empty()) pace_.End();
}

}  // namespace crier
