#include "server/engine/frame_handler.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/engine/access.h"
#include "server/engine/engine.h"
#include "server/engine/gate.h"
#include "server/engine/session.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

constexpr size_t kMostWaitingAcks = 256;
// Of an answer besides texts that its question has.
constexpr size_t kAnswerBytes = 200;

ActionKind KindOf(const v1::ClientFrame& frame) {
  switch (frame.frame_case()) {
    case v1::ClientFrame::kHello:
      return ActionKind::kHello;
    case v1::ClientFrame::kSubscribe:
      return ActionKind::kSubscribe;
    case v1::ClientFrame::kUnsubscribe:
      return ActionKind::kUnsubscribe;
    case v1::ClientFrame::kPing:
      return ActionKind::kPing;
    case v1::ClientFrame::kPresence:
      return ActionKind::kPresence;
    case v1::ClientFrame::kAuth:
      return ActionKind::kAuth;
    case v1::ClientFrame::kPublish:
      break;
    case v1::ClientFrame::FRAME_NOT_SET:
      return ActionKind::kInvalid;
  }
  switch (frame.publish().action_type()) {
    case v1::DIRECT:
      return ActionKind::kDirect;
    case v1::BROADCAST:
      return ActionKind::kBroadcast;
    case v1::PING:
      return ActionKind::kPing;
    case v1::PONG:
      return ActionKind::kPong;
    default:
      return ActionKind::kInvalid;
  }
}

// The user that the frame names as its sender; empty: none.
const std::string& UserOf(const v1::ClientFrame& frame) {
  if (!frame.user_id().empty()) return frame.user_id();
  if (frame.has_hello()) return frame.hello().user_id();
  return frame.publish().user_id();
}

// Of the clock's, modulo 2^32: 49 days. A session that was silent for half of that may have less
// left at first than it should.
uint32_t Milliseconds(TimePoint time) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

// The token that the frame brings; empty: none.
const std::string& TokenOf(const v1::ClientFrame& frame) {
  return frame.has_auth() ? frame.auth().token() : frame.hello().token();
}

}  // namespace

FrameHandler::FrameHandler(Session* session)
    : session_(*session),
      errors_since_(shard().clock().Now()),
      filled_at_(Milliseconds(errors_since_)),
      frames_left_(static_cast<float>(shard().options().max_messages_per_second)),
      bytes_left_(static_cast<float>(shard().options().max_bytes_per_second)) {}

Shard& FrameHandler::shard() const { return session_.shard(); }

void FrameHandler::Handle(v1::ClientFrame frame, const Arrival& arrival,
                          std::optional<size_t> bytes) {
  const EngineOptions& options = shard().options();
  session_.metrics().received[static_cast<size_t>(KindOf(frame))].Add();
  if (bytes && !TakeRate(arrival.at, *bytes)) return RefuseRate(IdOf(frame, options));
  const bool first = !had_first_frame_;
  had_first_frame_ = true;
  if (auto refusal = AdmitFrame(&frame, options)) {
    Refuse(refusal->outcome, refusal->message, IdOf(frame, options));
  } else if (session_.access() == nullptr || PassToken(frame)) {
    const std::string& user = UserOf(frame);
    if (!user.empty()) session_.AdoptUser(user);
    Dispatch(std::move(frame), arrival, first);
  }
  if (first) session_.following().LetGo();
}

bool FrameHandler::PassToken(const v1::ClientFrame& frame) {
  const SessionAccess& access = *session_.access();
  const std::string& token = TokenOf(frame);
  const bool waits = access.awaits_token;
  if (token.empty()) {
    if (!waits && !frame.has_auth()) return true;
    shard().metrics().CountRefused(TokenFault::kMissing);
    session_.RequestClose(Outcome::kUnauthenticated,
                          waits ? "this server asks for a token: in the request's Authorization "
                                  "header or metadata, or in the first frame"
                                : "the frame auth has no token");
    return false;
  }
  if (!session_.TakeToken(shard().clock().Now())) {
    shard().metrics().CountRefused(TokenFault::kTooMany);
    Refuse(Outcome::kRateLimited, "a session may send at most 10 tokens in a second",
           IdOf(frame, shard().options()));
    return false;
  }
  auto verified =
      shard().options().authenticator->Verify(token, shard().clock().WallNanos() / 1'000'000'000);
  if (const auto* refusal = std::get_if<TokenRefusal>(&verified)) {
    shard().metrics().CountRefused(refusal->fault);
    session_.RequestClose(refusal->outcome, refusal->message);
    return false;
  }
  session_.TakeGrant(std::move(std::get<Grant>(verified)));
  return !session_.closing();
}

void FrameHandler::Dispatch(v1::ClientFrame frame, const Arrival& arrival, bool first) {
  switch (frame.frame_case()) {
    case v1::ClientFrame::kHello:
      if (first) return HandleHello(frame.hello());
      return Refuse(Outcome::kInvalidMessage, "hello has to be the first frame of a session", {});
    case v1::ClientFrame::kPublish:
      return HandleMessage(std::move(*frame.mutable_publish()), arrival);
    case v1::ClientFrame::kSubscribe:
      return HandleSubscribe(frame.subscribe());
    case v1::ClientFrame::kUnsubscribe:
      return session_.following().Unfollow(frame.unsubscribe().topic(), frame.unsubscribe().id());
    case v1::ClientFrame::kPing: {
      v1::Event& event = shard().scratch_event();
      event.mutable_pong()->set_id(frame.ping().id());
      return session_.Answer(event, arrival.at);
    }
    case v1::ClientFrame::kPresence:
      return HandlePresence(frame.presence());
    case v1::ClientFrame::kAuth:
      // Where clients are not authenticated, it means nothing.
      if (frame.auth().id().empty()) return;
      return session_.SendAck(frame.auth().id(), {}, {}, session_.user_id());
    case v1::ClientFrame::FRAME_NOT_SET:
      assert(false);  // does not pass the gate
  }
}

void FrameHandler::Refuse(Outcome outcome, std::string_view message, std::string_view frame_id) {
  const EngineOptions& options = shard().options();
  session_.metrics().refused[static_cast<size_t>(outcome)].Add();
  v1::Event& event = shard().scratch_event();
  v1::Error& error = *event.mutable_error();
  error.set_outcome(std::string(Info(outcome).name));
  error.set_message(std::string(message));
  error.set_id(std::string(SendableId(frame_id, options)));
  error.set_user_id(session_.user_id());
  const Advice advice = Info(outcome).advice;
  error.set_advice(std::string(AdviceName(advice)));
  if (advice == Advice::kRetryAfterSlot) {
    shard().sessions().SetSlot(session_.id(), error.mutable_retry_after());
  }
  const TimePoint now = shard().clock().Now();
  session_.Answer(event, now);

  // That nobody is there to receive, that memory is short, or that a cluster does not answer, is
  // no fault of the sender's.
  if (outcome == Outcome::kNoRecipient || outcome == Outcome::kOverloaded ||
      outcome == Outcome::kUnavailable) {
    return;
  }
  if (now - errors_since_ > options.error_window) {
    errors_ = 0;
    errors_since_ = now;
  }
  errors_ = errors_ + 1;
  if (errors_ < options.max_errors) return;
  session_.RequestClose(
      Info(outcome).repeated_close_code != 0 ? outcome : Outcome::kRateLimited,
      absl::StrCat(uint32_t{errors_},
                   " frames refused in a short time, the last one: ", std::string(message)));
}

void FrameHandler::RefuseReceived(Outcome outcome, std::string_view message, size_t bytes,
                                  std::string_view frame_id) {
  if (!TakeRate(shard().clock().Now(), bytes)) return RefuseRate(frame_id);
  Refuse(outcome, message, frame_id);
}

void FrameHandler::RefuseRate(std::string_view frame_id) {
  const EngineOptions& options = shard().options();
  const bool frames = options.max_messages_per_second != 0 && frames_left_ < 1;
  Refuse(Outcome::kRateLimited,
         frames ? absl::StrCat("more than ", options.max_messages_per_second, " frames per second")
                : absl::StrCat("more than ", options.max_bytes_per_second, " bytes per second"),
         frame_id);
}

bool FrameHandler::AllowControlFrame() {
  if (TakeRate(shard().clock().Now(), 0)) return true;
  RefuseRate({});
  return false;
}

// What is refused takes nothing, and what has no bytes needs none. The message that empties the
// bucket of bytes may be longer than what is left: else one that is longer than a second's worth
// could never be sent.
bool FrameHandler::TakeRate(TimePoint now, size_t bytes) {
  const auto frames = static_cast<float>(shard().options().max_messages_per_second);
  const auto most = static_cast<float>(shard().options().max_bytes_per_second);
  if (frames == 0 && most == 0) return true;
  const uint32_t now_ms = Milliseconds(now);
  const auto passed = std::max(0, static_cast<int32_t>(now_ms - filled_at_));
  const float seconds = static_cast<float>(passed) / 1000;
  filled_at_ = now_ms;
  frames_left_ = std::min(frames, frames_left_ + frames * seconds);
  bytes_left_ = std::min(most, bytes_left_ + most * seconds);
  if (frames != 0 && frames_left_ < 1) return false;
  if (most != 0 && bytes > 0 && bytes_left_ <= 0) return false;
  frames_left_ -= 1;
  bytes_left_ -= static_cast<float>(bytes);
  return true;
}

// --- One function for each kind of frame.

void FrameHandler::HandleHello(const v1::Hello& hello) {
  Following& following = session_.following();
  if (hello.slow_consumer_policy() != v1::SLOW_CONSUMER_POLICY_UNSPECIFIED) {
    session_.set_policy(hello.slow_consumer_policy());
    following.empty_topic().set_policy(hello.slow_consumer_policy());
  }
  for (const v1::ResumePoint& point : hello.resume()) {
    v1::Subscribe subscribe;
    subscribe.set_topic(point.topic());
    *subscribe.mutable_resume() = point;
    HandleSubscribe(subscribe);
  }
}

void FrameHandler::HandleSubscribe(const v1::Subscribe& subscribe) {
  const std::string& topic = subscribe.topic();
  if (session_.access() != nullptr) {
    const Grant& grant = session_.access()->grant;
    if (auto no = CheckSubscribe(grant, topic)) return Refuse(*no, subscribe.id());
    if (subscribe.presence()) {
      if (auto no = CheckPresence(grant, topic)) return Refuse(*no, subscribe.id());
    }
  }
  Following& following = session_.following();
  const bool watches = following.Watches(topic);
  const size_t more = (following.Follows(topic) ? 0 : 1) + (subscribe.presence() && !watches);
  if (more > 0) {
    const size_t most = shard().options().max_topics_per_session;
    if (following.count() + more > most) {
      return Refuse(Outcome::kTooManyTopics,
                    absl::StrCat("this session may follow ", most,
                                 " topics (one with presence counts as two), and this would be "
                                 "more; unsubscribe from one first"),
                    subscribe.id());
    }
    if (!shard().topics().MakeRoom() || shard().engine().followed_topics().full()) {
      return Refuse(Outcome::kOverloaded, Info(Outcome::kOverloaded).text, subscribe.id());
    }
  }
  const Cursor* cursor = following.Find(topic);
  if (cursor != nullptr && cursor->waiting_acks() >= kMostWaitingAcks) {
    return Refuse(Outcome::kOverloaded,
                  "too many subscribes of this topic wait for their ack; send more once they came",
                  subscribe.id());
  }
  v1::SlowConsumerPolicy policy = subscribe.slow_consumer_policy();
  if (policy == v1::SLOW_CONSUMER_POLICY_UNSPECIFIED) policy = session_.policy();
  following.Follow(topic, policy, subscribe.has_resume() ? &subscribe.resume() : nullptr,
                   subscribe.id());
  if (subscribe.presence()) {
    following.Watch(topic, policy);
  } else if (watches) {
    following.Unwatch(topic);
  }
}

void FrameHandler::HandlePresence(const v1::PresenceQuery& query) {
  if (session_.access() != nullptr) {
    if (auto no = CheckPresence(session_.access()->grant, query.topic())) {
      return Refuse(*no, query.id());
    }
  }
  const size_t home = shard().engine().HomeIndexOf(query.topic());
  session_.Await(Session::kPresenceBytes);
  shard().mail().Send(home, PresenceAskedMail{query.topic(), query.id(), session_.id()});
  shard().mail().SlowDown(home, session_.ref());
}

void FrameHandler::HandleMessage(v1::Message message, const Arrival& arrival) {
  // Who has a token is its user, whatever the message says, and who has none is nobody.
  if (message.user_id().empty() || session_.access() != nullptr) {
    message.set_user_id(session_.user_id());
  }
  message.set_received_at(arrival.wall_nanos);
  message.set_offset(0);
  message.set_epoch(0);
  switch (message.action_type()) {
    case v1::PING:
    case v1::PONG:
      message.set_data(message.action_type() == v1::PING ? "pong" : "ping");
      return Echo(std::move(message), arrival);
    case v1::DIRECT:
      message.clear_topic();
      if (message.to().empty() && message.id().empty()) return Echo(std::move(message), arrival);
      break;
    default:
      message.clear_to();
      break;
  }
  if (session_.access() != nullptr) {
    if (auto no = CheckPublish(session_.access()->grant, message)) {
      return Refuse(*no, message.id());
    }
  }
  Publish(std::move(message), arrival);
}

void FrameHandler::Echo(v1::Message message, const Arrival& arrival) {
  v1::Event& event = shard().scratch_event();
  event.mutable_message()->Swap(&message);
  session_.Answer(event, arrival.at);
}

void FrameHandler::Publish(v1::Message message, const Arrival& arrival) {
  Publication publication{.message = {}, .arrival = arrival, .publisher = {}, .reply = {}};
  publication.reply.session = session_.ref();
  if (!message.id().empty()) {
    // A session without a user is told apart from the others by its number.
    publication.publisher = message.user_id().empty() ? absl::StrCat("session:", session_.id())
                                                      : absl::StrCat("user:", message.user_id());
    publication.reply.id = message.id();
    publication.reply.topic = message.topic();
    publication.reply.user_id = message.user_id();
    // The ack, and what comes back to its sender.
    publication.reply.awaited = static_cast<uint32_t>(kAnswerBytes + message.id().size());
    if (message.action_type() == v1::DIRECT && message.to().empty()) {
      publication.reply.awaited += static_cast<uint32_t>(kAnswerBytes + message.body().size());
    }
    session_.Await(publication.reply.awaited);
  }
  publication.message = std::move(message);
  shard().engine().bus().Publish(shard(), std::move(publication));
}

void FrameHandler::OnPublished(const PublishReply& reply, const PublishResult& result) {
  if (result.outcome != Outcome::kOk) {
    Refuse(result.outcome, result.detail, reply.id);
  } else {
    session_.SendAck(reply.id, reply.topic, result, reply.user_id);
  }
}

}  // namespace crier
