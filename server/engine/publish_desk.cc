#include "server/engine/publish_desk.h"

#include <cassert>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"
#include "server/metrics/handler_exceptions.h"

namespace crier {

PublishDesk::PublishDesk(Shard* shard)
    : shard_(*shard),
      ids_(shard->options().remembered_for,
           shard->options().remembered_ids / shard->options().shards, &shard->memory()) {}

void PublishDesk::Take(Publication publication) {
  // Runs on: shard thread
  assert(shard_.IsCurrent());
  PublishResult result;
  // The sender is somewhere else, maybe on another shard, and waits for an answer.
  const bool decided = NoThrow(&shard_.metrics().handler_exceptions, "a publish",
                               [&] { result = Decide(&publication); });
  if (!decided) {
    result = {.outcome = Outcome::kInternal, .detail = std::string(Info(Outcome::kInternal).text)};
  }
  PublishReply& reply = publication.reply;
  if (!IsTold(reply, result)) return;
  const size_t to = reply.session.shard;
  shard_.mail().Send(to, PublishedMail{std::move(reply), std::move(result)});
}

PublishResult PublishDesk::Decide(Publication* publication) {
  if (publication->publisher.empty()) return Accept(publication);
  const v1::Message& message = publication->message;
  const bool direct = message.action_type() == v1::DIRECT;
  const TimePoint now = shard_.clock().Now();
  if (auto first = ids_.Find({.publisher = publication->publisher,
                              .action = message.action_type(),
                              .target = direct ? message.to() : message.topic(),
                              .id = message.id()},
                             now)) {
    return std::move(*first);
  }
  PublishResult result = Accept(publication);
  if (result.outcome == Outcome::kOk) ids_.Remember(result, now);
  return result;
}

PublishResult PublishDesk::Accept(Publication* publication) {
  if (!shard_.topics().MakeRoom()) return OverloadedResult();
  if (publication->message.action_type() == v1::DIRECT) return DeliverDirect(publication);
  return shard_.topics().Publish(publication);
}

PublishResult PublishDesk::DeliverDirect(Publication* publication) {
  const std::string& to = publication->message.to();
  if (to.empty()) {
    HandOut(publication, {&publication->reply.session, 1});
    return {.recipients = 1};
  }
  const auto recipients = shard_.directory().Find(to);
  if (recipients.empty()) {
    return {.outcome = Outcome::kNoRecipient,
            .detail = absl::StrCat("no session of user \"", to, "\" is here")};
  }
  PublishResult result{.recipients = recipients.size()};
  HandOut(publication, recipients);
  return result;
}

void PublishDesk::Deliver(Publication publication) {
  // Runs on: shard thread
  assert(shard_.IsCurrent());
  HandOut(&publication, shard_.directory().Find(publication.message.to()));
}

void PublishDesk::TellMissed(std::string_view user) {
  for (const SessionRef& ref : shard_.directory().Find(user)) {
    shard_.mail().Send(ref.shard, MissedMail{ref.id});
  }
}

// To the mailboxes of these sessions, wherever they live. Takes the message.
void PublishDesk::HandOut(Publication* publication, std::span<const SessionRef> recipients) {
  const TimePoint at = publication->arrival.at;
  v1::Event& event = shard_.scratch_event();
  event.mutable_message()->Swap(&publication->message);
  std::shared_ptr<const v1::Event> shared;  // by the other shards
  for (const SessionRef& ref : recipients) {
    const bool answer = ref == publication->reply.session;
    if (ref.shard == shard_.index()) {
      Session* session = shard_.sessions().Find(ref.id);
      if (session == nullptr) continue;
      if (answer) {
        session->Answer(event, at);
      } else {
        session->Deliver(event, at);
      }
      continue;
    }
    if (shared == nullptr) shared = std::make_shared<const v1::Event>(event);
    shard_.mail().Send(ref.shard, DeliverMail{ref.id, answer, shared, at});
    shard_.mail().SlowDown(ref.shard, publication->reply.session);
  }
}

PublishResult OverloadedResult() {
  return {.outcome = Outcome::kOverloaded, .detail = std::string(Info(Outcome::kOverloaded).text)};
}

}  // namespace crier
