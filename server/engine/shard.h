// One thread of the engine, with everything that lives on it: sessions, the topics it is home to,
// its feeds of all topics that its sessions follow.
//
// The loop: Asio runs handlers; the first one that leaves a session with something to send posts
// one flush behind all handlers that are ready now. So a flush sees what a whole burst has
// gathered, and that is where batching happens.
#ifndef CRIER_SERVER_ENGINE_SHARD_H_
#define CRIER_SERVER_ENGINE_SHARD_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "crier/v1/message.pb.h"
#include "server/base/string_map.h"
#include "server/base/thread_role.h"
#include "server/engine/bus.h"
#include "server/engine/dedupe_table.h"
#include "server/engine/directory.h"
#include "server/engine/feed.h"
#include "server/engine/presence.h"
#include "server/engine/session.h"
#include "server/engine/topic.h"
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
  // Runs `task` on this shard's thread, soon, in the order of posting from one thread.
  void Post(Task task);
  // The loop's Asio side: sockets and timers of this shard belong to it.
  boost::asio::io_context& io() { return io_; }
  // True on this shard's thread.
  bool IsCurrent() const { return role_.IsCurrent(); }

  // --- Runs on: shard thread.

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

  ShardMetrics& metrics() const { return *metrics_; }
  const Clock& clock() const;

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

  // Runs `task` on another shard's thread. Tasks for the same shard leave together at the end of
  // the burst, in order. For this shard itself: runs it at once.
  void SendTo(size_t shard, Task task);
  // Makes sure that a flush comes behind the handlers that are ready now.
  void ScheduleFlush();
  // Wakes the session in the next round; AddAnswered: in the next flush, before those of a round.
  void AddReady(Session* session);
  void AddAnswered(Session* session);

  // A publication that has reached its home.
  void PublishHere(Publication publication);
  // Topics whose home is here; created where there is none.
  Topic& TopicHere(std::string_view name);
  Topic* FindTopicHere(std::string_view name);
  Directory& directory() { return directory_; }
  DedupeTable& direct_dedupe() { return direct_dedupe_; }

  // The feed of a topic on this shard; asks for it at the topic's home where there is none.
  Feed* FeedOf(std::string_view topic, const Encoding* encoding);
  Feed* FindFeed(std::string_view topic, const Encoding* encoding);
  // Gives a feed back that may have lost its last follower.
  void ReleaseFeed(Feed* feed);
  // Asks the home to let the feed's log reach as far back as it can; then its waiting followers
  // start.
  void ExtendFeed(Feed* feed);
  // The log that this feed reads has moved (said by the topic, where this is its home).
  void FeedMoved(std::string_view topic, const Encoding* encoding);
  // The same, from the topic's home on another shard.
  void ApplyToFeed(std::string_view topic, const Encoding* encoding, uint64_t epoch,
                   const LogDelta& delta);
  // One of this shard's topics has a log that moved.
  void TopicMoved(Topic* topic) {
    dirty_topics_.push_back(topic);
    ScheduleFlush();
  }
  // The topic's home has answered FeedOf.
  void StartFeed(std::string_view topic, const Encoding* encoding, uint64_t ticket,
                 const FeedStart& start);
  // The followers of a feed that wait for their start get it.
  void StartFollowers(Feed* feed);
  // Tells the topic's home what the feed has handed over, where that is news.
  void ReportHanded(Feed* feed);
  // The feed of the empty topic that is always here: its epoch and head are known at once.
  const Feed& empty_topic() const { return *empty_topic_; }

  Session* FindSession(uint64_t id);
  // Destroys the session.
  void CloseSession(Session* session);
  size_t session_count() const { return sessions_.size(); }

  // Adds what is known here to the answer and passes it on.
  void CollectPresence(std::shared_ptr<PresenceQuestion> question);
  // The answer has come back to who asked.
  void AnswerPresence(const PresenceQuestion& question);

  // Closes this shard's sessions as Engine::Drain says.
  void StartDrain(std::chrono::milliseconds spread, Task done);
  // How long a session should wait before it comes back: its own slot.
  std::chrono::milliseconds ReconnectSlot(uint64_t session_id) const;

  // Logs whose home is here have grown or shrunk by so many bytes.
  void AccountLogMemory(int64_t bytes);
  // Lets the largest log of this shard give way.
  void ShrinkLargestLog();

  // What Peek lends out, and scratch space; one user at a time.
  struct Segment {
    enum class Source : uint8_t { kNotes, kMailbox, kTopic } source;
    Subscription* subscription;
    EventRun run;
  };
  struct Lent {
    std::vector<Slice> slices;
    std::vector<Segment> segments;
    size_t bytes = 0;
    std::string cut_bytes;  // the rest of a cut event, where its own memory may be gone
  };
  Lent& lent() { return lent_; }
  v1::Event& scratch_event() {
    scratch_event_.Clear();
    return scratch_event_;
  }
  std::string& scratch_bytes() { return scratch_bytes_; }
  // True once in kDeliverySamples calls.
  bool SampleDelivery() { return ++delivery_samples_ % kDeliverySamples == 0; }

 private:
  static constexpr uint64_t kDeliverySamples = 16;
  using Feeds = absl::InlinedVector<std::unique_ptr<Feed>, 1>;

  void Flush();
  // Over the dirty feeds, or only over those that go first. Returns the most events that any
  // brought.
  uint64_t BeginPasses(bool only_first);
  void SendOutboxes();
  void ArmTimer();
  void TickSecond(TimePoint now);
  void DrainSome();
  void MarkFeedDirty(Feed* feed);
  void DeliverDirect(Publication publication);
  void HandOut(v1::Message* message, TimePoint at, std::span<const SessionRef> recipients);

  Engine* const engine_;
  const size_t index_;
  ShardMetrics* const metrics_;
  ThreadRole role_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  std::vector<absl::AnyInvocable<void(TimePoint)>> tickers_;
  uint64_t ticks_ = 0;

  // Sessions go before feeds and feeds before topics: each refers to the next.
  StringMap<std::unique_ptr<Topic>> topics_;
  StringMap<Feeds> feeds_;
  Feed* empty_topic_ = nullptr;
  uint64_t last_feed_ticket_ = 0;
  Turns turns_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<uint64_t> expecting_hello_[2];  // since this tick, and since the one before

  Directory directory_;
  DedupeTable direct_dedupe_;

  bool flush_scheduled_ = false;
  std::vector<Topic*> dirty_topics_;
  std::vector<Feed*> dirty_feeds_;
  std::vector<std::vector<Task>> outboxes_;  // by shard

  bool draining_ = false;
  size_t drain_per_tick_ = 0;
  Task drain_done_;

  Lent lent_;
  v1::Event scratch_event_;
  std::string scratch_bytes_;
  uint64_t delivery_samples_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SHARD_H_
