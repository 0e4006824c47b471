// The study's scenarios: how many virtual users are active when.
#ifndef CRIER_CLIENT_BENCH_STUDY_SCHEDULE_H_
#define CRIER_CLIENT_BENCH_STUDY_SCHEDULE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace crier::bench {

// A number of users that changes in stages, each a straight line, as in k6's ramping-vus executor.
// On the way up, a user is added when the line reaches it. On the way down, a user goes when the
// line has left it. Times are nanoseconds from the schedule's start.
class RampSchedule {
 public:
  struct Stage {
    int64_t duration = 0;
    uint32_t target = 0;
  };

  RampSchedule(uint32_t start_users, std::vector<Stage> stages)
      : start_users_(start_users), stages_(std::move(stages)) {}

  // 0 before the start and from the end on.
  uint32_t ActiveAt(int64_t time) const;
  int64_t duration() const;
  uint32_t max_users() const;

 private:
  uint32_t start_users_;
  std::vector<Stage> stages_;
};

// What one iteration of a user does after it has connected.
enum class StudyScript {
  kThreeDirect,     // Three direct messages, each after the previous answer.
  kManyBroadcasts,  // One broadcast, many more, a last one; never reads.
  kOneBroadcast,    // One broadcast.
};

struct StudyScenario {
  std::string name;
  StudyScript script = StudyScript::kOneBroadcast;
  int64_t start = 0;  // From the start of the run.
  RampSchedule users{0, {}};
  int64_t graceful_stop = 0;  // The time for an iteration to finish after the schedule's end.

  int64_t end() const { return start + users.duration(); }
};

// The three scenarios, with the study's names and in its order. `scale_time` multiplies starts,
// stages and the time to stop. `scale_users` multiplies the numbers of users (at least one).
std::vector<StudyScenario> StudyScenarios(double scale_time, double scale_users);

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_STUDY_SCHEDULE_H_
