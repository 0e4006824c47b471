// What shards tell each other.
#ifndef CRIER_SERVER_ENGINE_MAIL_H_
#define CRIER_SERVER_ENGINE_MAIL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "crier/v1/message.pb.h"
#include "server/engine/bus.h"
#include "server/engine/encoding.h"
#include "server/engine/event_log.h"
#include "server/engine/feed.h"
#include "server/engine/history.h"
#include "server/engine/presence_tracker.h"

namespace crier {

// --- Publishing.

// To the publication's home.
struct PublishMail {
  Publication publication;
};
// What became of it, back to where it came in.
struct PublishedMail {
  PublishReply reply;
  PublishResult result;
};
// A direct message for a session's mailbox. `answer`: the session sent it itself.
struct DeliverMail {
  uint64_t session;
  bool answer;
  std::shared_ptr<const v1::Event> event;
  TimePoint received_at;
};
// A topic cannot follow: its publisher is not to be read from, or may be again (Topic::Congested).
struct HoldMail {
  uint64_t session;
  bool hold;
};

// --- Feeds. To the topic's home, and back.

// This shard begins to follow.
struct FollowMail {
  std::string topic;
  const Encoding* encoding;
  uint64_t ticket;
};
struct FollowedMail {
  std::string topic;
  const Encoding* encoding;
  uint64_t ticket;
  FeedStart start;
};
// The log begins anew (Topic::Begin).
struct BegunMail {
  std::string topic;
  const Encoding* encoding;
  FeedStart start;
  bool complete;
};
// Nobody on this shard follows any more.
struct UnfollowMail {
  std::string topic;
  const Encoding* encoding;
};
// The log has moved.
struct LogMovedMail {
  std::string topic;
  const Encoding* encoding;
  uint64_t epoch;
  LogDelta delta;
};
// Everything up to `through` was handed over here.
struct HandedMail {
  std::string topic;
  const Encoding* encoding;
  uint64_t epoch;
  uint64_t through;
};
// Events older than those of an encoding's log, for a session that resumes.
struct SliceAskedMail {
  std::string topic;
  const Encoding* encoding;
  uint64_t from;
  uint64_t session;
};
struct SliceMail {
  std::string topic;
  uint64_t from;  // as asked
  uint64_t session;
  uint64_t first;  // what is to be sent next: later than `from` where what lies between is gone
  uint64_t last;   // of the slice
  ChunkPtr slice;  // null: nothing is kept from `first` on
};
// A page of history, and its answer.
struct HistoryAskedMail {
  HistoryQuestion question;
};
struct HistoryMail {
  HistoryDone done;
  HistoryRange range;
};

// --- Users.

// A session speaks for this user from now on, or does no more; to the user's home.
struct UserMail {
  std::string user;
  uint64_t session;
  bool here;
  // A UserHereMail is to say when messages to the user come.
  bool confirm = false;
};
struct UserHereMail {
  uint64_t session;
};
// Direct messages to the session's user may have been lost.
struct MissedMail {
  uint64_t session;
};
// A session of this user follows a topic from now on, or does no more; to the topic's home. Without
// a user: the number of sessions has changed, which only a topic that is watched wants to know.
struct FollowerMail {
  std::string topic;
  std::string user;
  bool here;
};
// Who follows a topic? And the answer.
struct PresenceAskedMail {
  std::string topic;
  std::string id;
  uint64_t session;
};
struct PresenceMail {
  uint64_t session;
  std::shared_ptr<const v1::Event> event;
};

// Who is there, for a session that is told of changes (PresenceDesk)? And the answer; without an
// event, where nobody watches any more.
struct SnapshotAskedMail {
  std::string topic;
  SnapshotAsker asker;
};
struct SnapshotMail {
  SnapshotAsker asker;
  std::shared_ptr<const v1::Event> event;
};

// --- Of the post itself.

// So many bytes of mail that came from you were dealt with.
struct CreditMail {
  size_t bytes;
};

using Mail =
    std::variant<PublishMail, PublishedMail, DeliverMail, HoldMail, FollowMail, FollowedMail,
                 BegunMail, UnfollowMail, LogMovedMail, HandedMail, SliceAskedMail, SliceMail,
                 HistoryAskedMail, HistoryMail, UserMail, UserHereMail, MissedMail, FollowerMail,
                 PresenceAskedMail, PresenceMail, SnapshotAskedMail, SnapshotMail, CreditMail>;

// About how much memory it holds while it is on its way, in bytes.
size_t BytesOf(const Mail& mail);

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_MAIL_H_
