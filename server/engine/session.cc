#include "server/engine/session.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/engine/engine.h"
#include "server/engine/frame_checks.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

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

}  // namespace

Session::Session(Shard* shard, uint64_t id, SessionOptions options)
    : shard_(shard),
      id_(id),
      transport_(options.transport),
      encoding_(options.encoding),
      kind_(options.kind),
      adopt_user_id_(options.adopt_user_id),
      welcome_(options.welcome),
      expects_hello_(options.expect_hello),
      policy_(options.slow_consumer_policy),
      mailbox_(shard->options().mailbox),
      errors_since_(shard->clock().Now()),
      rate_tokens_(shard->options().max_messages_per_second),
      rate_since_(errors_since_) {
  empty_topic_.session = this;
  if (policy_ == v1::SLOW_CONSUMER_POLICY_UNSPECIFIED) {
    policy_ = shard->options().slow_consumer_policy;
  }
  if (!options.user_id.empty()) SetUser(options.user_id);
}

Session::~Session() = default;

ShardMetrics::PerTransport& Session::metrics() const { return shard_->metrics().of(kind_); }

void Session::Open() {
  metrics().sessions.Add(1);
  if (welcome_) SendWelcome();
  empty_topic_.held = expects_hello_;
  Follow(&empty_topic_, "", policy_, std::make_unique<Subscription::Pending>());
}

void Session::Handle(v1::ClientFrame frame, const Arrival& arrival) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  if (closing_) return;
  metrics().received[static_cast<size_t>(KindOf(frame))].Add();
  if (!TakeRateToken(arrival.at)) {
    Refuse(Outcome::kRateLimited,
           absl::StrCat("more than ", shard_->options().max_messages_per_second,
                        " messages per second"),
           frame.publish().id());
    return;
  }
  const bool first = !std::exchange(had_first_frame_, true);
  if (AdoptUser(frame.user_id())) Dispatch(std::move(frame), arrival, first);
  if (first) StopExpectingHello();
}

void Session::Dispatch(v1::ClientFrame frame, const Arrival& arrival, bool first) {
  switch (frame.frame_case()) {
    case v1::ClientFrame::kHello:
      if (first) {
        HandleHello(frame.hello());
      } else {
        Refuse(Outcome::kInvalidMessage, "hello has to be the first frame of a session");
      }
      break;
    case v1::ClientFrame::kPublish:
      HandleMessage(std::move(*frame.mutable_publish()), arrival);
      break;
    case v1::ClientFrame::kSubscribe:
      HandleSubscribe(frame.subscribe());
      break;
    case v1::ClientFrame::kUnsubscribe:
      HandleUnsubscribe(frame.unsubscribe());
      break;
    case v1::ClientFrame::kPing: {
      v1::Event& event = shard_->scratch_event();
      event.mutable_pong()->set_id(frame.ping().id());
      Deliver(event, arrival.at);
      break;
    }
    case v1::ClientFrame::kPresence:
      HandlePresence(frame.presence());
      break;
    case v1::ClientFrame::FRAME_NOT_SET:
      Refuse(Outcome::kInvalidMessage,
             "an empty frame; it holds one of hello, publish, subscribe, unsubscribe, ping, "
             "presence");
      break;
  }
}

void Session::Refuse(Outcome outcome, std::string_view message, std::string_view frame_id) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  if (closing_) return;
  v1::Event& event = shard_->scratch_event();
  v1::Error& error = *event.mutable_error();
  error.set_outcome(std::string(Info(outcome).name));
  error.set_message(std::string(message));
  error.set_id(std::string(frame_id.substr(0, shard_->options().max_id_bytes)));
  error.set_user_id(user_id_);
  const TimePoint now = shard_->clock().Now();
  Deliver(event, now);

  // That nobody is there to receive is no fault of the sender's.
  if (outcome == Outcome::kNoRecipient) return;
  const EngineOptions& options = shard_->options();
  if (now - errors_since_ > options.error_window) {
    errors_ = 0;
    errors_since_ = now;
  }
  if (++errors_ < options.max_errors) return;
  RequestClose(Info(outcome).repeated_close_code != 0 ? outcome : Outcome::kRateLimited,
               absl::StrCat(errors_, " frames refused in a short time, the last one: ",
                            std::string(message)));
}

void Session::HandleHello(const v1::Hello& hello) {
  // Each point may bring a gap, so their number has a limit also where they name one topic.
  const size_t most = shard_->options().max_topics_per_session + 1;
  if (static_cast<size_t>(hello.resume_size()) > most) {
    Refuse(Outcome::kTooManyTopics,
           absl::StrCat("hello has ", hello.resume_size(), " resume points; at most ", most,
                        " are accepted, one for each topic"));
    return;
  }
  if (!AdoptUser(hello.user_id())) return;
  if (hello.slow_consumer_policy() != v1::SLOW_CONSUMER_POLICY_UNSPECIFIED) {
    policy_ = hello.slow_consumer_policy();
    empty_topic_.policy = policy_;
  }
  for (const v1::ResumePoint& point : hello.resume()) {
    if (point.topic().empty()) {
      ReseatEmptyTopic(point);
      continue;
    }
    v1::Subscribe subscribe;
    subscribe.set_topic(point.topic());
    *subscribe.mutable_resume() = point;
    HandleSubscribe(subscribe);
  }
}

void Session::HandleSubscribe(const v1::Subscribe& subscribe) {
  auto refusal = CheckTopic(subscribe.topic(), shard_->options());
  if (!refusal) refusal = CheckId(subscribe.id(), shard_->options());
  if (refusal) {
    Refuse(refusal->outcome, refusal->message, subscribe.id());
    return;
  }
  if (const Subscription* existing = Find(subscribe.topic())) {
    if (subscribe.id().empty()) return;
    if (existing->pending != nullptr) {
      // The first one is still on its way, and answers for both.
      existing->pending->ack_id = subscribe.id();
      return;
    }
    PublishResult position;
    position.epoch = existing->feed->epoch();
    position.offset = existing->next - 1;
    SendAck(subscribe.id(), subscribe.topic(), position, user_id_);
    return;
  }
  const size_t most = shard_->options().max_topics_per_session;
  if (topics_.size() >= most) {
    Refuse(Outcome::kTooManyTopics,
           absl::StrCat("this session follows ", most, " topics, and no more are allowed"),
           subscribe.id());
    return;
  }
  auto pending = std::make_unique<Subscription::Pending>();
  if (subscribe.has_resume()) pending->resume = subscribe.resume();
  pending->ack_id = subscribe.id();
  auto& subscription = topics_[subscribe.topic()];
  subscription = std::make_unique<Subscription>();
  subscription->session = this;
  const auto policy = subscribe.slow_consumer_policy();
  Follow(subscription.get(), subscribe.topic(),
         policy == v1::SLOW_CONSUMER_POLICY_UNSPECIFIED ? policy_ : policy, std::move(pending));
}

void Session::HandleUnsubscribe(const v1::Unsubscribe& unsubscribe) {
  if (unsubscribe.topic().empty()) {
    Refuse(Outcome::kInvalidMessage, "the topic without a name is followed by every session",
           unsubscribe.id());
    return;
  }
  PublishResult position;
  const auto found = topics_.find(unsubscribe.topic());
  if (found != topics_.end()) {
    position.epoch = found->second->feed->epoch();
    position.offset = found->second->next - 1;
    Unfollow(found->second.get());
    topics_.erase(found);
  }
  if (!unsubscribe.id().empty()) {
    SendAck(unsubscribe.id(), unsubscribe.topic(), position, user_id_);
  }
}

void Session::HandlePresence(const v1::PresenceQuery& query) {
  if (auto refusal = CheckTopic(query.topic(), shard_->options())) {
    Refuse(refusal->outcome, refusal->message, query.id());
    return;
  }
  auto question = std::make_shared<PresenceQuestion>();
  question->topic = query.topic();
  question->id = query.id();
  question->shard = shard_->index();
  question->session = id_;
  shard_->SendTo(
      0, [&shard = shard_->engine().shard(0), question] { shard.CollectPresence(question); });
}

bool Session::TakeRateToken(TimePoint now) {
  const double rate = shard_->options().max_messages_per_second;
  if (rate == 0) return true;
  rate_tokens_ = std::min(rate, rate_tokens_ + rate * Seconds(now - rate_since_));
  rate_since_ = now;
  if (rate_tokens_ < 1) return false;
  rate_tokens_ -= 1;
  return true;
}

bool Session::AdoptUser(const std::string& user_id) {
  if (!adopt_user_id_ || user_id.empty() || !user_id_.empty()) return true;
  if (auto refusal = CheckUser(user_id)) {
    Refuse(refusal->outcome, refusal->message);
    return false;
  }
  SetUser(user_id);
  return true;
}

void Session::SetUser(const std::string& user_id) {
  user_id_ = user_id;
  Shard& home = shard_->engine().HomeOf(user_id);
  shard_->SendTo(home.index(), [&home, user_id, ref = SessionRef{shard_->index(), id_}] {
    home.directory().Add(user_id, ref);
  });
}

void Session::SendWelcome() {
  const EngineOptions& options = shard_->options();
  v1::Event& event = shard_->scratch_event();
  v1::Welcome& welcome = *event.mutable_welcome();
  welcome.set_session_id(absl::StrCat(id_));
  welcome.set_user_id(user_id_);
  welcome.set_server(options.server_name);
  welcome.mutable_limits()->set_max_body_bytes(static_cast<uint32_t>(options.max_body_bytes));
  welcome.mutable_limits()->set_max_topic_bytes(static_cast<uint32_t>(options.max_topic_bytes));
  welcome.mutable_limits()->set_max_id_bytes(static_cast<uint32_t>(options.max_id_bytes));
  welcome.mutable_limits()->set_max_topics(static_cast<uint32_t>(options.max_topics_per_session));
  welcome.set_epoch(shard_->empty_topic().epoch());
  if (shard_->empty_topic().started()) welcome.set_offset(shard_->empty_topic().log().head());
  const auto slot = shard_->ReconnectSlot(id_);
  welcome.mutable_reconnect_after()->set_seconds(slot.count() / 1000);
  welcome.mutable_reconnect_after()->set_nanos(static_cast<int32_t>(slot.count() % 1000) *
                                               1'000'000);
  Deliver(event, shard_->clock().Now());
}

void Session::RequestClose(Outcome outcome, std::string_view detail) {
  if (std::exchange(closing_, true)) return;
  transport_->Close(outcome, detail);
}

void Session::End(Outcome outcome) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  metrics().sessions.Add(-1);
  if (blocked_) metrics().sessions_lagging.Add(-1);
  metrics().ended[static_cast<size_t>(outcome)].Add();
  if (!user_id_.empty()) {
    Shard& home = shard_->engine().HomeOf(user_id_);
    shard_->SendTo(home.index(), [&home, user = user_id_, ref = SessionRef{shard_->index(), id_}] {
      home.directory().Remove(user, ref);
    });
  }
  Unfollow(&empty_topic_);
  for (auto& [topic, subscription] : topics_) Unfollow(subscription.get());
  shard_->CloseSession(this);
}

}  // namespace crier
