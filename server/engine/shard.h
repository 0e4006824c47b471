// One thread of the engine, with everything that lives on it: sessions, the topics it is home to,
// its feeds of all topics that its sessions follow, and its mail to the other shards. This class is
// the loop and the flush; each of the rest is a part with a file of its own.
//
// The loop: Asio runs handlers; the first one that leaves a session with something to send posts
// one flush behind all handlers that are ready now. So a flush sees what a whole burst has
// gathered, and that is where batching happens.
#ifndef CRIER_SERVER_ENGINE_SHARD_H_
#define CRIER_SERVER_ENGINE_SHARD_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "crier/v1/message.pb.h"
#include "server/base/thread_role.h"
#include "server/engine/directory.h"
#include "server/engine/feed_table.h"
#include "server/engine/mail.h"
#include "server/engine/memory_budget.h"
#include "server/engine/post_office.h"
#include "server/engine/publish_desk.h"
#include "server/engine/session.h"
#include "server/engine/session_table.h"
#include "server/engine/topic_store.h"
#include "server/engine/turns.h"
#include "server/metrics/metrics.h"

namespace crier {

class Engine;

// How often transports and limits look at the clock.
inline constexpr std::chrono::milliseconds kTickInterval{100};

class Shard {
 public:
  using Task = absl::AnyInvocable<void()>;

  // --- Thread-safe.

  size_t index() const { return index_; }
  Engine& engine() const { return *engine_; }
  const EngineOptions& options() const;
  const Clock& clock() const;
  // Runs `task` on this shard's thread, soon, in the order of posting from one thread.
  void Post(Task task);
  // The loop's Asio side: sockets and timers of this shard belong to it.
  boost::asio::io_context& io() { return io_; }
  // True on this shard's thread.
  bool IsCurrent() const { return role_.IsCurrent(); }

  // --- For transports. Runs on: shard thread.

  // The session starts following the empty topic at its head. The shard owns it; it ends itself
  // (Session::End).
  Session* OpenSession(SessionOptions options);
  // Now, for a frame that was just read.
  Arrival ArrivalNow() const;
  // Calls `ticker` every kTickInterval with the time, until the shard stops.
  void AddTicker(absl::AnyInvocable<void(TimePoint)> ticker);
  // Calls `submit` after the turns of each flush, until the shard stops: what they have put
  // aside to be sent together can go.
  void AfterWakes(absl::AnyInvocable<void()> submit);
  // To be called between two sockets that are read one after the other: flushes at once where what
  // was read so far might overrun a session that keeps up.
  void FlushIfHurried();
  ShardMetrics& metrics() const { return *metrics_; }
  MemoryMeter& memory() { return memory_; }

  // --- For the rest of the engine. Runs on: shard thread, unless said otherwise.

  Shard(Engine* engine, size_t index, ShardMetrics* metrics);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // The thread's whole life: returns after Stop. The calling thread becomes the shard's.
  void Run();
  // Makes Run return. Thread-safe.
  void Stop() { io_.stop(); }
  // Runs what is ready, on the calling thread, which becomes the shard's. Returns how many handlers
  // ran.
  size_t Poll();
  // What has to be looked at every kTickInterval.
  void Tick(TimePoint now);

  // Makes sure that a flush comes behind the handlers that are ready now.
  void ScheduleFlush();
  // Makes sure that it comes before the next socket is read.
  void HurryFlush() { hurried_ = true; }
  // Gives the session a turn in the next round, or where `first`, in the next flush before those of
  // a round.
  void Add(Session* session, bool first);

  // Deals with mail from shard `from`.
  void Receive(size_t from, Mail mail);

  SessionTable& sessions() { return sessions_; }
  FeedTable& feeds() { return feeds_; }
  TopicStore& topics() { return topics_; }
  PublishDesk& publish_desk() { return publish_desk_; }
  PostOffice& mail() { return mail_; }
  Directory& directory() { return directory_; }
  const OutletContext& outlet_context() const { return outlet_context_; }

  // Scratch space. It is the caller's until the caller uses anything else of the shard.
  v1::Event& scratch_event() {
    scratch_event_.Clear();
    return scratch_event_;
  }
  std::string& scratch_bytes() { return scratch_bytes_; }

 private:
  class MailReader;

  void ArmTimer();
  void Flush();

  Engine* const engine_;
  const size_t index_;
  ShardMetrics* const metrics_;
  ThreadRole role_;
  // Outlives what still lies in the loop: that may tell it what it kept.
  MemoryMeter memory_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  std::vector<absl::AnyInvocable<void(TimePoint)>> tickers_;

  Loan loan_;
  MailboxPool mailboxes_;
  v1::Event scratch_event_;
  std::string scratch_bytes_;
  const OutletContext outlet_context_;
  Turns turns_;
  bool flush_scheduled_ = false;
  bool hurried_ = false;

  // Sessions go before feeds and feeds before topics: each refers to the next.
  PostOffice mail_;
  Directory directory_;
  PublishDesk publish_desk_;
  TopicStore topics_;
  FeedTable feeds_;
  SessionTable sessions_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SHARD_H_
