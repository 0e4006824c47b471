// One ConnectionSet for each shard. Starts and stops them together and gives access to them.
#ifndef CRIER_SERVER_TRANSPORT_SET_PER_SHARD_H_
#define CRIER_SERVER_TRANSPORT_SET_PER_SHARD_H_

#include <chrono>
#include <cstddef>
#include <future>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "server/base/concat.h"
#include "server/engine/engine.h"
#include "server/transport/connection_set.h"

namespace crier {

// Set: a ConnectionSet. Runs on: any one thread that is not a shard's, except Of.
template <class Set>
class SetPerShard {
 public:
  // `engine` outlives this object. `make(shard)` makes the set of that shard.
  template <class Make>
  SetPerShard(Engine* engine, Make make) : engine_(*engine) {
    for (size_t i = 0; i < engine->shard_count(); ++i) sets_.push_back(make(&engine->shard(i)));
  }
  // REQUIRES: it was not started, or was stopped.
  ~SetPerShard() = default;
  SetPerShard(const SetPerShard&) = delete;
  SetPerShard& operator=(const SetPerShard&) = delete;

  // Thread-safe between Start and Stop. The set itself belongs to the shard's thread.
  Set* Of(const Shard& shard) { return sets_[shard.index()].get(); }

  // Runs `task(Set*)` on every shard and waits for all. REQUIRES: the engine runs.
  template <class Task>
  void OnEach(Task task) {
    std::latch done(static_cast<ptrdiff_t>(sets_.size()));
    for (size_t i = 0; i < sets_.size(); ++i) {
      engine_.shard(i).Post([&task, &done, this, i] {
        task(sets_[i].get());
        done.count_down();
      });
    }
    done.wait();
  }

  // `what`: what the sets serve, for the error. `io_uring`: see ConnectionSet::Start. Returns when
  // every shard's loop serves, or says which of them cannot and why, in one line for people: then
  // Stop is still to be called. REQUIRES: the engine runs.
  absl::Status Start(std::string_view what, bool io_uring) {
    std::vector<absl::Status> started(sets_.size());
    OnEach([&](Set* set) {
      Shard& shard = set->shard();
      started[shard.index()] = set->Start(io_uring);
      if (!started[shard.index()].ok()) return;
      // The shard keeps these to its end, which may come after the set's.
      const std::weak_ptr<Set> weak = sets_[shard.index()];
      shard.AddTicker([weak](TimePoint now) {
        if (const auto alive = weak.lock()) alive->Tick(now);
      });
      shard.AfterWakes([weak] {
        if (const auto alive = weak.lock()) alive->AfterWakes();
      });
    });
    for (size_t i = 0; i < started.size(); ++i) {
      if (started[i].ok()) continue;
      return absl::Status(started[i].code(),
                          Concat({"shard ", std::to_string(i), " cannot serve ", what, ": ",
                                  std::string(started[i].message())}));
    }
    return absl::OkStatus();
  }

  // Closes every connection: politely for the given time, then hard. Destroys the sets, and returns
  // when that is done. REQUIRES: started, and the engine still runs.
  void Stop(std::chrono::milliseconds polite) {
    std::vector<std::future<void>> stopped;
    for (const std::shared_ptr<Set>& set : sets_) {
      auto promise = std::make_shared<std::promise<void>>();
      stopped.push_back(promise->get_future());
      set->shard().Post([set, promise] { set->Stop([promise] { promise->set_value(); }); });
    }
    const auto polite_until = std::chrono::steady_clock::now() + polite;
    for (std::future<void>& one : stopped) one.wait_until(polite_until);
    for (const std::shared_ptr<Set>& set : sets_) {
      set->shard().Post([set] { set->HardCloseAll(); });
    }
    for (std::future<void>& one : stopped) one.wait();
    // On their own threads, so that tasks which they posted to themselves have run.
    OnEach([this](Set* set) { sets_[set->shard().index()].reset(); });
  }

 private:
  Engine& engine_;
  std::vector<std::shared_ptr<Set>> sets_;
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_SET_PER_SHARD_H_
