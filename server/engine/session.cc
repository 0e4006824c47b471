#include "server/engine/session.h"

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {

Session::Session(Shard* shard, uint64_t id, SessionOptions options)
    : shard_(shard),
      id_(id),
      transport_(options.transport),
      user_id_(options.user_id.str()),
      kind_(options.kind),
      adopt_user_id_(options.adopt_user_id && shard->options().authenticator == nullptr),
      welcome_(options.welcome),
      expect_hello_(options.expect_hello),
      policy_(
          static_cast<uint8_t>(options.slow_consumer_policy != v1::SLOW_CONSUMER_POLICY_UNSPECIFIED
                                   ? options.slow_consumer_policy
                                   : shard->options().slow_consumer_policy)),
      opened_at_(static_cast<uint32_t>(shard->clock().WallNanos() / 1'000'000'000)),
      outlet_(&shard->outlet_context(), options.kind, options.encoding),
      following_(this, policy()),
      input_(this) {
  shard->memory().Add(MemoryKind::kSessions, sizeof(Session));
  if (shard->options().authenticator == nullptr) return;
  user_id_.clear();
  access_ = std::make_unique<SessionAccess>();
  access_->awaits_token = !options.grant.has_value();
  if (options.grant) SetGrant(std::move(*options.grant));
}

Session::~Session() {
  shard_->memory().Add(MemoryKind::kSessions, -int64_t{sizeof(Session)});
  if (access_ != nullptr && !access_->awaits_token) {
    shard_->memory().Add(MemoryKind::kSessions, -access_->bytes());
  }
}

SessionRef Session::ref() const { return {.shard = shard_->index(), .id = id_}; }

void Session::Open() {
  metrics().sessions.Add(1);
  if (SessionObserver* observer = shard_->sessions().observer()) observer->OnBegun(*this);
  if (access_ != nullptr && access_->awaits_token) return shard_->sessions().ExpectToken(id_);
  awaits_user_ = !user_id_.empty() && HasSharedBus();
  Begin();
}

bool Session::HasSharedBus() const { return shard_->engine().bus().shared() != nullptr; }

void Session::Begin() {
  if (access_ != nullptr) shard_->sessions().SetEnd(id_, access_->grant.ends_at);
  // The answer may come at once.
  const bool welcome_now = !awaits_user_;
  if (!user_id_.empty()) TellUser(/*here=*/true);
  if (welcome_now) Welcome();
}

void Session::HoldForUser() {
  held_for_user_ = true;
  HoldReading();
}

void Session::OnUserHere() {
  if (held_for_user_) {
    held_for_user_ = false;
    ReleaseReading();
  }
  if (awaits_user_ && !closing()) Welcome();
}

void Session::NoteMissedDirects() {
  // Nobody was told yet that messages to its user find it.
  if (awaits_user_) return;
  v1::Gap gap;
  gap.set_mailbox(true);
  gap.set_reason(v1::CUT_OFF);
  NoteGap(gap);
}

void Session::Welcome() {
  awaits_user_ = false;
  if (welcome_) SendWelcome();
  if (!MayFollow("")) return;
  following_.Open(expect_hello_);
  if (expect_hello_) shard_->sessions().ExpectHello(id_);
}

// --- Who it is, and what it may do.

bool Session::MayFollow(std::string_view topic) const {
  return access_ == nullptr || !CheckSubscribe(access_->grant, topic);
}

void Session::SetGrant(Grant grant) {
  if (access_->grant.permissions != nullptr) {
    shard_->memory().Add(MemoryKind::kSessions, -access_->bytes());
  }
  access_->grant = std::move(grant);
  access_->awaits_token = false;
  user_id_ = access_->grant.user_id;
  shard_->memory().Add(MemoryKind::kSessions, access_->bytes());
}

void Session::TakeGrant(Grant grant) {
  if (access_->awaits_token) {
    SetGrant(std::move(grant));
    return Begin();
  }
  const bool had_user = !user_id_.empty();
  if (had_user && grant.user_id != user_id_) {
    shard_->metrics().CountRefused(TokenFault::kOtherUser);
    return RequestClose(Outcome::kUnauthenticated, "the new token is of another user");
  }
  const bool followed_empty_topic = MayFollow("");
  shard_->sessions().ClearEnd(id_, access_->grant.ends_at);
  SetGrant(std::move(grant));
  shard_->sessions().SetEnd(id_, access_->grant.ends_at);
  if (!had_user) {
    TellUser(/*here=*/true);
    following_.TellUser();
  }
  NarrowFollowing(followed_empty_topic);
}

void Session::NarrowFollowing(bool followed_empty_topic) {
  const auto denied = CheckSubscribe(access_->grant, "");
  if (followed_empty_topic && denied) return RequestClose(denied->outcome, denied->message);
  if (!followed_empty_topic && !denied) following_.Open(/*hold=*/false);
  for (const std::string& topic : following_.Topics()) {
    if (auto refusal = CheckSubscribe(access_->grant, topic)) {
      following_.Unfollow(topic, {});
      input_.Refuse(refusal->outcome, refusal->message, {});
    }
  }
  for (const std::string& topic : following_.WatchedTopics()) {
    if (auto refusal = CheckPresence(access_->grant, topic)) {
      following_.Unwatch(topic);
      input_.Refuse(refusal->outcome, refusal->message, {});
    }
  }
}

void Session::RefuseUser() {
  RequestClose(Outcome::kTooManySessions,
               absl::StrCat("the user has ", shard_->options().max_sessions_per_user,
                            " sessions, and no more are allowed"));
}

// --- What the client sends.

void Session::Handle(v1::ClientFrame frame, const Arrival& arrival, std::optional<size_t> bytes) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  if (closing()) return;
  if (awaits_user_) {
    // Its client does not wait for a welcome. What it sends next does.
    Welcome();
    HoldForUser();
  }
  input_.Handle(std::move(frame), arrival, bytes);
}

void Session::Refuse(Outcome outcome, std::string_view message, size_t bytes,
                     std::string_view frame_id) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  if (!closing()) input_.RefuseReceived(outcome, message, bytes, frame_id);
}

bool Session::AllowControlFrame() { return !closing() && input_.AllowControlFrame(); }

void Session::OnPublished(const PublishReply& reply, const PublishResult& result) {
  if (closing()) return;
  input_.OnPublished(reply, result);
  if (reply.awaited > 0) Await(-int64_t{reply.awaited});
}

void Session::AdoptUser(const std::string& user_id) {
  if (!adopt_user_id_ || !user_id_.empty()) return;
  user_id_ = user_id;
  if (HasSharedBus()) HoldForUser();
  TellUser(/*here=*/true);
  following_.TellUser();
}

void Session::TellUser(bool here) {
  shard_->mail().Send(shard_->engine().HomeIndexOf(user_id_),
                      UserMail{user_id_, id_, here, /*confirm=*/here && HasSharedBus()});
}

void Session::HoldReading() {
  if (holds_++ == 0 && !closing()) transport_->PauseReading();
}

void Session::ReleaseReading() {
  assert(holds_ > 0);
  if (--holds_ == 0 && !closing()) transport_->ResumeReading();
}

// Holds a session that does not take its own answers, and lets it go when it has.
void Session::CheckOwnAnswers() {
  const LogLimits& most = shard_->options().mailbox;
  Mailbox::Behind behind = outlet_.behind();
  behind.bytes += awaited_;
  const bool much = behind.bytes > most.bytes / 2 || behind.events > most.events / 2;
  const bool little = behind.bytes <= most.bytes / 4 && behind.events <= most.events / 4;
  if (!held_for_answers_ && much && !broken_) {
    held_for_answers_ = true;
    HoldReading();
  } else if (held_for_answers_ && (little || broken_)) {
    held_for_answers_ = false;
    ReleaseReading();
  }
}

void Session::Await(int64_t bytes) {
  awaited_ = static_cast<uint32_t>(awaited_ + bytes);
  CheckOwnAnswers();
}

void Session::SetBroken() {
  broken_ = true;
  CheckOwnAnswers();
}

// --- What the client is owed.

void Session::Deliver(const v1::Event& event, TimePoint at) { Put(event, at, /*answer=*/false); }

void Session::Answer(const v1::Event& event, TimePoint at) {
  Put(event, at, /*answer=*/true);
  CheckOwnAnswers();
}

void Session::Put(const v1::Event& event, TimePoint at, bool answer) {
  if (closing() || !outlet_.Deliver(event, at, answer)) return;
  WantTurn(Turn::kFirst);
  // Before the mailbox overruns a client that takes bytes.
  if (takes() && outlet_.mailbox().bytes() > shard_->options().mailbox.bytes / 4) {
    shard_->HurryFlush();
  }
}

void Session::SendAck(std::string_view id, std::string_view topic, const PublishResult& result,
                      std::string_view user_id) {
  v1::Event& event = shard_->scratch_event();
  v1::Ack& ack = *event.mutable_ack();
  ack.set_id(std::string(id));
  ack.set_topic(std::string(topic));
  ack.set_epoch(result.epoch);
  ack.set_offset(result.offset);
  ack.set_recipients(result.recipients);
  ack.set_duplicate(result.duplicate);
  ack.set_user_id(std::string(user_id));
  Answer(event, shard_->clock().Now());
}

void Session::SendWelcome() {
  const EngineOptions& options = shard_->options();
  const Feed& empty_topic = shard_->feeds().empty_topic();
  v1::Event& event = shard_->scratch_event();
  v1::Welcome& welcome = *event.mutable_welcome();
  welcome.set_session_id(absl::StrCat(id_));
  welcome.set_user_id(user_id_);
  welcome.set_server(options.server_name);
  welcome.mutable_limits()->set_max_body_bytes(static_cast<uint32_t>(options.max_body_bytes));
  welcome.mutable_limits()->set_max_topic_bytes(static_cast<uint32_t>(options.max_topic_bytes));
  welcome.mutable_limits()->set_max_id_bytes(static_cast<uint32_t>(options.max_id_bytes));
  welcome.mutable_limits()->set_max_topics(static_cast<uint32_t>(options.max_topics_per_session));
  const bool follows = MayFollow("");
  if (follows) welcome.set_epoch(empty_topic.epoch());
  if (follows && empty_topic.started()) welcome.set_offset(empty_topic.log().head());
  shard_->sessions().SetSlot(id_, welcome.mutable_reconnect_after());
  Deliver(event, shard_->clock().Now());
}

void Session::NoteGap(const v1::Gap& gap) {
  if (closing()) return;
  outlet_.NoteGap(gap);
  WantTurn(Turn::kRound);
  CheckOwnAnswers();
}

void Session::MarkReady(Cursor* cursor, bool first) {
  if (closing()) return;
  outlet_.AddReady(cursor);
  WantTurn(first ? Turn::kFirst : Turn::kRound);
}

// Somebody waits for what is in the mailbox: it goes before what only a broadcast has made ready.
void Session::WantTurn(Turn turn) {
  if (!takes() || turn_ >= turn) return;
  if (is_linked()) unlink();
  turn_ = turn;
  shard_->Add(this, turn == Turn::kFirst);
}

void Session::Wake() {
  turn_ = Turn::kNone;
  transport_->Wake();
}

void Session::WakeLater() {
  if (has_pending()) WantTurn(Turn::kRound);
}

void Session::SetBlocked(bool blocked) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  if (closing() || blocked == this->blocked()) return;
  SetState(blocked ? State::kBlocked : State::kOpen);
  if (!blocked) WakeLater();
}

// The one place where the state changes.
void Session::SetState(State state) {
  if (blocked()) metrics().sessions_lagging.Add(-1);
  state_ = state;
  if (is_linked()) unlink();
  turn_ = Turn::kNone;
  if (takes()) return;
  outlet_.ReleasePasses();
  if (!blocked()) return;
  metrics().sessions_lagging.Add(1);
  shard_->sessions().AddLagging(this);
  if (SessionObserver* observer = shard_->sessions().observer()) observer->OnLagging(*this);
}

void Session::CheckSlowConsumer() {
  if (blocked() && outlet_.Overrun(policy() == v1::CLOSE)) RequestClose(Outcome::kSlowConsumer, {});
}

std::span<const Slice> Session::Peek(size_t budget) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  if (closing()) return {};
  if (outlet_.lags()) [[unlikely]] {
    if (outlet_.Overrun(policy() == v1::CLOSE)) {
      RequestClose(Outcome::kSlowConsumer, {});
      return {};
    }
    outlet_.SkipWhatIsGone();
    for (const Cursor* cursor : outlet_.hungry()) following_.AskForSnapshotLater(*cursor);
  }
  return outlet_.Peek(budget);
}

std::string_view Session::Take(size_t bytes) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  const std::string_view rest = outlet_.Take(bytes);
  for (Cursor* cursor : outlet_.hungry()) following_.AskForSlice(cursor);
  if (held_for_answers_) CheckOwnAnswers();
  return rest;
}

// --- Its end.

void Session::RequestClose(Outcome outcome, std::string_view detail) {
  if (closing()) return;
  SetState(State::kClosing);
  in_close_ = true;
  transport_->Close(outcome, detail);
  in_close_ = false;
}

void Session::End(Outcome outcome) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  assert(!in_close_ && "a transport may not end the session from Close (transport.h)");
  if (!closing()) SetState(State::kClosing);
  metrics().sessions.Add(-1);
  metrics().ended[static_cast<size_t>(outcome)].Add();
  if (SessionObserver* observer = shard_->sessions().observer()) observer->OnEnded(*this, outcome);
  following_.Leave();
  if (!user_id_.empty()) TellUser(/*here=*/false);
  if (access_ != nullptr) shard_->sessions().ClearEnd(id_, access_->grant.ends_at);
  shard_->sessions().Destroy(this);
}

// --- Facts.

Session::Position Session::PositionIn(std::string_view topic) const {
  const Cursor* cursor = following_.Find(topic);
  if (cursor == nullptr || cursor->feed == nullptr || !cursor->feed->started()) return {};
  // Its place is yet to be known (Following::ApplyResume).
  if (cursor->next() > INT64_MAX / 2) return {};
  return {.start = cursor->start(),
          .next = cursor->next(),
          .head = cursor->feed->log().head(),
          .delivered = cursor->delivered(),
          .skipped = cursor->skipped()};
}

Session::Position Session::MailboxPosition() const {
  const Mailbox& mailbox = outlet_.mailbox();
  return {.start = 0,
          .next = mailbox.next(),
          .head = mailbox.head(),
          .delivered = mailbox.delivered(),
          .skipped = mailbox.skipped()};
}

}  // namespace crier
