#include "server/engine/following.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/presence_log.h"
#include "server/engine/session.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// By so much one node's log of a topic may be behind another's. A client that claims more goes on
// at this.
constexpr uint64_t kMostAhead = 1 << 20;
// Neither of a topic, nor "none": a place that is of no epoch that there is.
constexpr uint64_t kNoEpoch = 1;
// The offset of a cursor whose place is not known yet: far behind each head, so nothing is read.
constexpr uint64_t kNowhere = uint64_t{1} << 62;

bool IsNowhere(const Cursor& cursor) { return cursor.next() > kNowhere; }

// What an ack says of where the session is: what it was sent last.
PublishResult PlaceOf(Cursor& cursor) {
  PublishResult place;
  place.epoch = cursor.feed->epoch();
  place.offset = cursor.next() - 1;
  if (IsNowhere(cursor)) {
    place.epoch = cursor.start_work()->left->epoch();
    place.offset = cursor.start_work()->left->offset();
  }
  return place;
}

}  // namespace

Following::~Following() = default;

Shard& Following::shard() const { return session().shard(); }

int64_t Following::MemoryOf(std::string_view topic) {
  constexpr size_t kSlot = 2 * (sizeof(std::pair<std::string, std::unique_ptr<Cursor>>) + 1);
  return static_cast<int64_t>(sizeof(Cursor) + kSlot + topic.size());
}

void Following::Open(bool hold) {
  Attach(&empty_topic_, "");
  if (hold) empty_topic_.EnsureStart().hold = true;
  Begin(&empty_topic_);
}

void Following::LetGo() {
  if (empty_topic_.start_work() != nullptr) empty_topic_.start_work()->hold = false;
  if (empty_topic_.state() != Cursor::State::kHeld) return;
  empty_topic_.LetGo();
  Cursor::Start* const start = empty_topic_.start_work();
  if (start != nullptr && start->left) {
    start->resume = std::exchange(start->left, std::nullopt);
    return ApplyResume(&empty_topic_);
  }
  HasPlace(&empty_topic_);
}

void Following::Follow(std::string_view topic, v1::SlowConsumerPolicy policy,
                       const v1::ResumePoint* resume, std::string_view ack_id) {
  Cursor* cursor = FindMutable(topic);
  const bool follows = cursor != nullptr;
  if (!follows) {
    cursor = Add(topic, policy);
  }
  if (resume != nullptr) cursor->EnsureStart().resume = *resume;
  if (!ack_id.empty()) cursor->EnsureStart().ack_ids.emplace_back(ack_id);
  if (!follows) Attach(cursor, topic);
  if (cursor->state() == Cursor::State::kStarting) {
    Begin(cursor);
  } else if (resume != nullptr) {
    ApplyResume(cursor);
  } else if (!cursor->awaits_slice()) {
    HasPlace(cursor);
  }
}

void Following::Unfollow(std::string_view topic, std::string_view ack_id) {
  PublishResult position;
  if (Cursor* cursor = FindMutable(topic)) {
    if (cursor->watched) Unwatch(topic);
    // What still waits for its place is answered first, with the place that there is.
    if (cursor->start_work() != nullptr) Answer(cursor);
    position = PlaceOf(*cursor);
    Detach(cursor);
    Drop(topic);
  }
  if (!ack_id.empty()) session().SendAck(ack_id, topic, position, session().user_id());
}

void Following::Leave() {
  if (empty_topic_.feed != nullptr) Detach(&empty_topic_);
  for (const auto& [topic, cursor] : others()) {
    Detach(cursor.get());
    shard().memory().Add(MemoryKind::kSessions, -MemoryOf(topic));
  }
  topics_.reset();
}

void Following::Attach(Cursor* cursor, std::string_view topic) {
  Feed* feed = shard().feeds().Of(topic, session().outlet().encoding());
  feed->AddFollower(cursor);
  TellFollower(*feed, /*here=*/true);
}

void Following::Detach(Cursor* cursor) {
  Feed* feed = cursor->feed;
  session().outlet().Remove(cursor);
  feed->RemoveFollower(cursor);
  TellFollower(*feed, /*here=*/false);
  shard().feeds().GiveBack(feed);
}

void Following::TellFollower(const Feed& feed, bool here) {
  // Sessions of nobody are counted by the feeds; the topic's home asks only for watchers.
  if (session().user_id().empty() && !feed.watched()) return;
  if (IsPresenceLog(feed.topic())) return;
  shard().mail().Send(shard().engine().HomeIndexOf(feed.topic()),
                      FollowerMail{feed.topic(), session().user_id(), here});
}

void Following::TellUser() {
  if (empty_topic_.feed == nullptr) return;  // Open does
  TellFollower(*empty_topic_.feed, /*here=*/true);
  for (const auto& [topic, cursor] : others()) TellFollower(*cursor->feed, /*here=*/true);
}

// --- Presence.

void Following::Watch(std::string_view topic, v1::SlowConsumerPolicy policy) {
  FindMutable(topic)->watched = true;
  const std::string log = PresenceLogOf(topic);
  if (Cursor* cursor = FindMutable(log)) {
    // Else Begin asks.
    if (cursor->state() != Cursor::State::kStarting) AskForSnapshot(cursor);
    return;
  }
  Cursor* cursor = Add(log, policy);
  // Changes mean something once it is told what they change.
  cursor->EnsureStart().hold = true;
  Attach(cursor, log);
  Begin(cursor);
}

void Following::Unwatch(std::string_view topic) {
  const std::string log = PresenceLogOf(topic);
  Cursor* cursor = FindMutable(log);
  if (cursor == nullptr) return;
  if (Cursor* followed = FindMutable(topic)) followed->watched = false;
  Detach(cursor);
  Drop(log);
}

void Following::AskForSnapshot(Cursor* cursor) {
  if (cursor->awaits_snapshot()) return;
  const SnapshotAsker asker{.session = session().ref(), .ticket = shard().feeds().NewTicket()};
  cursor->EnsureStart().snapshot_ticket = asker.ticket;
  session().Await(Session::kSnapshotBytes);
  const std::string& log = cursor->feed->topic();
  const size_t home = shard().engine().HomeIndexOf(log);
  // Where this is the home, the answer may come at once.
  shard().mail().Send(home, SnapshotAskedMail{std::string(TopicOf(log)), asker});
  shard().mail().SlowDown(home, session().ref());
}

void Following::AskForSnapshotLater(const Cursor& cursor) {
  shard().Post([&shard = shard(), id = session().id(), log = cursor.feed->topic()] {
    Session* asking = shard.sessions().Find(id);
    if (asking == nullptr) return;
    if (Cursor* still = asking->following().FindMutable(log)) {
      asking->following().AskForSnapshot(still);
    }
  });
}

void Following::OnSnapshot(const SnapshotMail& mail) {
  session().Await(-Session::kSnapshotBytes);
  if (mail.event == nullptr) return;
  const v1::Presence& presence = mail.event->presence();
  Cursor* cursor = FindMutable(PresenceLogOf(presence.topic()));
  // It may have ceased to watch, and begun again.
  if (cursor == nullptr || !cursor->awaits_snapshot() ||
      cursor->start_work()->snapshot_ticket != mail.asker.ticket) {
    return;
  }
  // Its feed was started by mail before this.
  assert(cursor->state() != Cursor::State::kStarting);
  cursor->FinishStart();
  session().Answer(*mail.event, shard().clock().Now());
  if (cursor->state() == Cursor::State::kHeld) cursor->LetGo();
  // What it has not read of earlier changes is in the snapshot. The mailbox is read first, so the
  // snapshot comes before what follows it.
  if (cursor->next() < presence.version()) {
    session().outlet().Remove(cursor);
    cursor->feed->Release(cursor);
    cursor->SkipTo(presence.version(), v1::GAP_REASON_UNSPECIFIED);
  }
  if (cursor->HasMore(cursor->feed->log())) session().MarkReady(cursor);
}

// --- Places.

void Following::Begin(Cursor* cursor) {
  if (cursor->state() != Cursor::State::kStarting || !cursor->feed->started()) return;
  cursor->BeginAfter(cursor->feed->log().head());
  if (cursor->start_work() != nullptr && cursor->start_work()->resume) {
    ApplyResume(cursor);
  } else if (cursor->start_work() != nullptr && cursor->start_work()->hold) {
    cursor->Hold();
    if (cursor->waiting_acks() == 0) cursor->FinishStart();
    if (IsPresenceLog(cursor->feed->topic())) AskForSnapshot(cursor);
  } else {
    HasPlace(cursor);
  }
}

void Following::BeginAnew(Cursor* cursor, uint64_t epoch_before) {
  const EventLog& log = cursor->feed->log();
  Cursor::Start& start = cursor->EnsureStart();
  if (start.left && start.left->epoch() >= cursor->feed->epoch() &&
      cursor->state() != Cursor::State::kHeld) {
    // Its client was here before this node was.
    start.resume = std::exchange(start.left, std::nullopt);
    return ApplyResume(cursor);
  }
  v1::ResumePoint place;
  place.set_epoch(epoch_before);
  place.set_offset(cursor->next() - 1);
  // The beginning of an epoch is "nothing was missed" to who resumes (IsBeforeAll). Here something
  // may have been, or epoch_before were 0.
  if (epoch_before != 0 && epoch_before != cursor->feed->epoch() && place.offset() == 0) {
    place.set_epoch(kNoEpoch);
  }
  if (cursor->state() == Cursor::State::kHeld) {
    // Its first frame, or the want of one, says where it goes on.
    if (!start.left) start.left = std::move(place);
    v1::ResumePoint oldest;
    oldest.set_offset(log.tail() - 1);
    cursor->MoveTo(oldest, cursor->feed->epoch(), log, /*ahead=*/0);
    return cursor->Hold();
  }
  // It was not told yet that an epoch before that is over, and nothing of this one was sent.
  if (start.reason == v1::NEW_EPOCH) place.set_epoch(kNoEpoch);
  start.resume = std::move(place);
  ApplyResume(cursor);
}

void Following::ApplyResume(Cursor* cursor) {
  v1::ResumePoint point = *std::exchange(cursor->start_work()->resume, std::nullopt);
  cursor->start_work()->left.reset();
  Feed* feed = cursor->feed;
  session().outlet().Remove(cursor);
  feed->Release(cursor);
  SharedBus* const shared = shard().engine().bus().shared();
  if (shared != nullptr && point.offset() == 0 &&
      shared->IsBeforeAll(shard(), feed->topic(), point.epoch())) {
    point.set_epoch(0);
  }
  if (shared != nullptr && point.epoch() > feed->epoch()) {
    // The client was in a later epoch, on another node; this one has yet to hear of it, or may be
    // cut off. A gap would move the client back, and it would get again what it has. So nothing is
    // sent to it until its epoch is here, where it goes on from its own place (BeginAnew); or until
    // what the nodes share says that there is no such epoch (OnSlice): that is what the question
    // for offset 0 is for, which TopicStore asks for as long as there is no answer.
    v1::ResumePoint nowhere;
    nowhere.set_offset(kNowhere);
    cursor->MoveTo(nowhere, feed->epoch(), feed->log(), /*ahead=*/kNowhere);
    cursor->start_work()->left = point;
    return shard().mail().Send(
        shard().engine().HomeIndexOf(feed->topic()),
        SliceAskedMail{feed->topic(), feed->encoding(), /*from=*/0, session().id()});
  }
  const bool new_epoch = point.epoch() != feed->epoch() && point.epoch() != 0;
  cursor->start_work()->reason = new_epoch ? v1::NEW_EPOCH : v1::EXPIRED;
  cursor->MoveTo(point, feed->epoch(), feed->log(), shared == nullptr ? 0 : kMostAhead);
  // The canonical log is all that there is, on a node that shares nothing.
  const bool all = session().outlet().encoding() == &CanonicalEncoding() && shared == nullptr;
  if (cursor->state() == Cursor::State::kReplaying && !all) return AskForSlice(cursor);
  Resumed(cursor, all ? feed->log().tail() : cursor->next());
  cursor->EndReplayWhereReached(feed->log());
  HasPlace(cursor);
}

// Goes on at `oldest`, the oldest event kept, where that is not before the one that is due. Says
// what will not come.
void Following::Resumed(Cursor* cursor, uint64_t oldest) {
  const auto reason = std::exchange(cursor->start_work()->reason, v1::GAP_REASON_UNSPECIFIED);
  ResumeKind kind = ResumeKind::kComplete;
  if (oldest > cursor->next()) kind = ResumeKind::kGap;
  if (reason == v1::NEW_EPOCH) kind = ResumeKind::kNewEpoch;
  if (kind != ResumeKind::kComplete) Skip(cursor, std::max(oldest, cursor->next()), reason);
  shard().metrics().resumes[static_cast<size_t>(kind)].Add();
}

void Following::Skip(Cursor* cursor, uint64_t to, v1::GapReason reason) {
  const SkippedRange range = cursor->SkipTo(to, reason);
  const SkipKind kind = reason == v1::NEW_EPOCH ? SkipKind::kNewEpoch : SkipKind::kExpired;
  shard().metrics().events_skipped[static_cast<size_t>(kind)].Add(range.count());
  session().NoteGap(GapOf(*cursor, range));
}

void Following::AskForSlice(Cursor* cursor) {
  cursor->AskedForSlice();
  const Feed& feed = *cursor->feed;
  shard().mail().Send(
      shard().engine().HomeIndexOf(feed.topic()),
      SliceAskedMail{feed.topic(), feed.encoding(), cursor->next(), session().id()});
}

void Following::OnSlice(const SliceMail& mail) {
  Cursor* cursor = FindMutable(mail.topic);
  if (mail.from == 0 && cursor != nullptr && cursor->feed->started() && IsNowhere(*cursor)) {
    // The client's epoch is later than all that there are: it never was, or it went with what kept
    // it. What there is of the epoch before is no news to such a client. It goes on from its own
    // place, should its epoch come all the same.
    const EventLog& log = cursor->feed->log();
    cursor->MoveTo({}, cursor->feed->epoch(), log, /*ahead=*/0);
    Skip(cursor, log.head() + 1, v1::NEW_EPOCH);
    cursor->EndReplayWhereReached(log);
    shard().metrics().resumes[static_cast<size_t>(ResumeKind::kNewEpoch)].Add();
    return HasPlace(cursor);
  }
  // It may have been moved since, and asked for another.
  if (cursor == nullptr || !cursor->awaits_slice() || cursor->next() != mail.from) return;
  const Cursor::Start* work = cursor->start_work();
  if (work != nullptr && work->reason != v1::GAP_REASON_UNSPECIFIED) {
    Resumed(cursor, mail.first);
  } else if (mail.first > cursor->next()) {
    Skip(cursor, mail.first, v1::EXPIRED);
  }
  cursor->SetSlice(mail.slice, mail.last);
  cursor->EndReplayWhereReached(cursor->feed->log());
  if (cursor->wants_slice()) AskForSlice(cursor);
  HasPlace(cursor);
}

// Answers who waits for that, and sends what there is.
void Following::HasPlace(Cursor* cursor) {
  if (cursor->start_work() != nullptr) Answer(cursor);
  if (cursor->HasMore(cursor->feed->log())) session().MarkReady(cursor);
}

void Following::Answer(Cursor* cursor) {
  const PublishResult position = PlaceOf(*cursor);
  for (const std::string& id : cursor->start_work()->ack_ids) {
    session().SendAck(id, cursor->feed->topic(), position, session().user_id());
  }
  std::optional<v1::ResumePoint> left = std::move(cursor->start_work()->left);
  cursor->FinishStart();
  if (left) cursor->EnsureStart().left = std::move(left);
}

std::vector<std::string> Following::Topics() const {
  std::vector<std::string> topics;
  topics.reserve(count());
  for (const auto& [topic, cursor] : others()) {
    if (!IsPresenceLog(topic)) topics.push_back(topic);
  }
  return topics;
}

size_t Following::topic_count() const {
  return static_cast<size_t>(std::count_if(others().begin(), others().end(), [](const auto& entry) {
    return !IsPresenceLog(entry.first);
  }));
}

std::vector<std::string> Following::WatchedTopics() const {
  std::vector<std::string> topics;
  for (const auto& [topic, cursor] : others()) {
    if (IsPresenceLog(topic)) topics.emplace_back(TopicOf(topic));
  }
  return topics;
}

Cursor* Following::FindMutable(std::string_view topic) {
  return const_cast<Cursor*>(std::as_const(*this).Find(topic));
}

const Cursor* Following::Find(std::string_view topic) const {
  if (topic.empty()) return &empty_topic_;
  if (topics_ == nullptr) return nullptr;
  const auto found = topics_->find(topic);
  return found == topics_->end() ? nullptr : found->second.get();
}

const Following::Cursors& Following::others() const {
  static const Cursors& none = *new Cursors;
  return topics_ == nullptr ? none : *topics_;
}

Cursor* Following::Add(std::string_view topic, v1::SlowConsumerPolicy policy) {
  if (topics_ == nullptr) topics_ = std::make_unique<Cursors>();
  auto& made = (*topics_)[topic];
  made = std::make_unique<Cursor>(&session(), policy);
  shard().memory().Add(MemoryKind::kSessions, MemoryOf(topic));
  return made.get();
}

void Following::Drop(std::string_view topic) {
  topics_->erase(topics_->find(topic));
  if (topics_->empty()) topics_.reset();
  shard().memory().Add(MemoryKind::kSessions, -MemoryOf(topic));
}

}  // namespace crier
