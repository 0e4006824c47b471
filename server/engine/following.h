// The topics that a session follows: its cursors, from the first frame that asks for one to its
// end.
#ifndef CRIER_SERVER_ENGINE_FOLLOWING_H_
#define CRIER_SERVER_ENGINE_FOLLOWING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/base/string_map.h"
#include "server/engine/cursor.h"
#include "server/engine/mail.h"

namespace crier {

class Session;
class Shard;

// Runs on: the session's shard thread, all of it.
class Following {
 public:
  // `session` owns this object. `policy`: of the empty topic.
  Following(Session* session, v1::SlowConsumerPolicy policy) : empty_topic_(session, policy) {}
  ~Following();
  Following(const Following&) = delete;
  Following& operator=(const Following&) = delete;

  // Starts to follow the empty topic. `hold`: nothing of it is sent until LetGo, or until a resume
  // point moves it.
  void Open(bool hold);
  void LetGo();

  // Follows the topic, or moves the cursor that follows it to the resume point. An `ack_id` that is
  // not empty gets its ack when the cursor has its place. REQUIRES: is_full() is false, or the
  // topic is followed.
  void Follow(std::string_view topic, v1::SlowConsumerPolicy policy, const v1::ResumePoint* resume,
              std::string_view ack_id);
  // REQUIRES: not the empty topic.
  void Unfollow(std::string_view topic, std::string_view ack_id);
  // All of them, for good.
  void Leave();

  // Is told who comes to the topic and who goes, and first who is there: at once where it is not on
  // its way, each time that this is called. REQUIRES: the topic is followed. A topic that is
  // watched counts twice against the limit on topics.
  void Watch(std::string_view topic, v1::SlowConsumerPolicy policy);
  // No more of that. Nothing, where the topic is not watched.
  void Unwatch(std::string_view topic);
  bool Watches(std::string_view topic) const {
    const Cursor* cursor = Find(topic);
    return cursor != nullptr && cursor->watched;
  }

  bool Follows(std::string_view topic) const { return Find(topic) != nullptr; }
  // Against the limit.
  size_t count() const { return topics_ == nullptr ? 0 : topics_->size(); }
  // How many Topics() returns.
  size_t topic_count() const;
  // Without the empty one.
  std::vector<std::string> Topics() const;
  // Those of which it is told who comes.
  std::vector<std::string> WatchedTopics() const;
  // Null: the topic is not followed.
  const Cursor* Find(std::string_view topic) const;
  Cursor& empty_topic() { return empty_topic_; }

  // The session speaks for a user from now on.
  void TellUser();

  // --- For feeds, and for answers from a topic's home.

  // The cursor's feed can be read.
  void Begin(Cursor* cursor);
  // The log of the cursor's feed begins anew, and this is where the cursor is to go on, by its own
  // place in the epoch before. `epoch_before` 0: nothing was missed in between.
  void BeginAnew(Cursor* cursor, uint64_t epoch_before);
  // The slice that the cursor of this topic asked for.
  void OnSlice(const SliceMail& mail);
  // Asks for the cursor's next slice.
  void AskForSlice(Cursor* cursor);
  // Who follows a topic that is watched, as it was asked for.
  void OnSnapshot(const SnapshotMail& mail);
  // The cursor missed changes of presence: asks for who is there, once the session's turn is over.
  void AskForSnapshotLater(const Cursor& cursor);

 private:
  using Cursors = StringMap<std::unique_ptr<Cursor>>;

  Session& session() const { return empty_topic_.session(); }
  Shard& shard() const;
  Cursor* FindMutable(std::string_view topic);
  void Attach(Cursor* cursor, std::string_view topic);
  void Detach(Cursor* cursor);
  void TellFollower(const Feed& feed, bool here);
  void AskForSnapshot(Cursor* cursor);
  static int64_t MemoryOf(std::string_view topic);

  void ApplyResume(Cursor* cursor);
  void Resumed(Cursor* cursor, uint64_t oldest);
  void Skip(Cursor* cursor, uint64_t to, v1::GapReason reason);
  void HasPlace(Cursor* cursor);
  void Answer(Cursor* cursor);

  // Those besides the empty one.
  const Cursors& others() const;
  // A new one.
  Cursor* Add(std::string_view topic, v1::SlowConsumerPolicy policy);
  void Drop(std::string_view topic);

  Cursor empty_topic_;
  // Null: none, as in most sessions.
  std::unique_ptr<Cursors> topics_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_FOLLOWING_H_
