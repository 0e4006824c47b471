#include "client/bench/study_schedule.h"

#include <algorithm>
#include <cmath>

#include "client/bench/bench_clock.h"

namespace crier::bench {

uint32_t RampSchedule::ActiveAt(int64_t time) const {
  if (time < 0) return 0;
  uint32_t from = start_users_;
  for (const Stage& stage : stages_) {
    if (time < stage.duration) {
      const auto part = static_cast<double>(time) / static_cast<double>(stage.duration);
      const double change = (static_cast<double>(stage.target) - from) * part;
      return static_cast<uint32_t>(from + std::trunc(change));
    }
    time -= stage.duration;
    from = stage.target;
  }
  return 0;
}

int64_t RampSchedule::duration() const {
  int64_t sum = 0;
  for (const Stage& stage : stages_) sum += stage.duration;
  return sum;
}

uint32_t RampSchedule::max_users() const {
  uint32_t most = start_users_;
  for (const Stage& stage : stages_) most = std::max(most, stage.target);
  return most;
}

std::vector<StudyScenario> StudyScenarios(double scale_time, double scale_users) {
  const auto seconds = [scale_time](double value) {
    return static_cast<int64_t>(value * scale_time * static_cast<double>(kSecond));
  };
  const auto users = [scale_users](uint32_t value) {
    return std::max(1u, static_cast<uint32_t>(std::lround(value * scale_users)));
  };
  const auto ramp = [&](const std::vector<uint32_t>& targets) {
    std::vector<RampSchedule::Stage> stages;
    for (const uint32_t target : targets) stages.push_back({seconds(30), users(target)});
    return RampSchedule(users(5), std::move(stages));
  };
  const std::vector<uint32_t> first_targets = {20, 40, 60, 80, 100, 150, 200};
  std::vector<uint32_t> all_targets = first_targets;
  for (uint32_t target = 250; target <= 750; target += 50) all_targets.push_back(target);

  std::vector<StudyScenario> scenarios(3);
  scenarios[0].name = "constVUWith3DirectMessages";
  scenarios[0].script = StudyScript::kThreeDirect;
  scenarios[0].users = RampSchedule(users(80), {{seconds(45), users(80)}});
  scenarios[1].name = "rampUp50With100Messages";
  scenarios[1].script = StudyScript::kManyBroadcasts;
  scenarios[1].start = seconds(120);
  scenarios[1].users = ramp(first_targets);
  scenarios[2].name = "rampUp50WithSingleMessage";
  scenarios[2].script = StudyScript::kOneBroadcast;
  scenarios[2].start = seconds(300);
  scenarios[2].users = ramp(all_targets);
  for (StudyScenario& scenario : scenarios) scenario.graceful_stop = seconds(30);
  return scenarios;
}

}  // namespace crier::bench
