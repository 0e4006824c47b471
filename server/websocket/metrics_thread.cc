#include "server/websocket/metrics_thread.h"

#include <sys/resource.h>

#include <utility>

#include "server/metrics/handler_exceptions.h"

namespace crier {
namespace {

// Behind the shards where they want every core, and still soon enough for a scraper.
constexpr int kNiceness = 10;

}  // namespace

MetricsThread::MetricsThread(const Metrics* metrics)
    : metrics_(*metrics), thread_([this] { Run(); }) {}

MetricsThread::~MetricsThread() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  asked_.release();
  thread_.join();
}

void MetricsThread::Ask(Shard* shard, Done done) {
  {
    MutexLock lock(&mutex_);
    waiting_.push_back({.shard = shard, .done = std::move(done)});
  }
  asked_.release();
}

void MetricsThread::Run() {
  // Of this thread alone, as Linux has it (setpriority(2), "C library/kernel differences").
  ::setpriority(PRIO_PROCESS, 0, kNiceness);
  while (true) {
    asked_.acquire();
    std::vector<Waiting> waiting;
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      waiting.swap(waiting_);
    }
    // Empty: the last text was for this one too.
    if (waiting.empty()) continue;
    const Text text = Write();
    for (Waiting& one : waiting) {
      one.shard->Post([text, done = std::move(one.done)]() mutable { done(text); });
    }
  }
}

MetricsThread::Text MetricsThread::Write() const {
  Text text;
  NoThrow(nullptr, "the text of /metrics",
          [this, &text] { text = std::make_shared<const std::string>(metrics_.Text()); });
  return text;
}

}  // namespace crier
