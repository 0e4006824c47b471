// Session: the messages that a client sends, and what it is told about them.
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/engine/engine.h"
#include "server/engine/frame_checks.h"
#include "server/engine/session.h"
#include "server/engine/shard.h"

namespace crier {

void Session::HandleMessage(v1::Message message, const Arrival& arrival) {
  DropUnknownFields(&message);
  if (auto refusal = CheckMessage(message, shard_->options())) {
    Refuse(refusal->outcome, refusal->message, message.id());
    return;
  }
  if (message.user_id().empty()) {
    message.set_user_id(user_id_);
  } else {
    AdoptUser(message.user_id());  // its length is checked above
  }
  message.set_received_at(arrival.wall_nanos);
  message.set_offset(0);
  message.set_epoch(0);
  switch (message.action_type()) {
    case v1::PING:
    case v1::PONG:
      message.set_data(message.action_type() == v1::PING ? "pong" : "ping");
      Echo(std::move(message), arrival);
      return;
    case v1::DIRECT:
      message.clear_topic();
      if (!message.to().empty()) break;
      if (message.id().empty()) {
        Echo(std::move(message), arrival);
        return;
      }
      break;
    default:
      message.clear_to();
      break;
  }
  Publish(std::move(message), arrival);
}

void Session::Echo(v1::Message message, const Arrival& arrival) {
  v1::Event& event = shard_->scratch_event();
  event.mutable_message()->Swap(&message);
  Deliver(event, arrival.at);
}

void Session::Publish(v1::Message message, const Arrival& arrival) {
  if (message.action_type() == v1::DIRECT && message.to().empty()) {
    // To itself, with an id: answered once, however often it is sent.
    DedupeTable& seen = shard_->direct_dedupe();
    std::string key = DedupeTable::Key(PublisherKey(message), message.id());
    PublishResult result;
    const std::string id = message.id();
    if (const PublishResult* first = seen.Find(key, arrival.at)) {
      result = *first;
      result.duplicate = true;
    } else {
      result.recipients = 1;
      seen.Remember(std::move(key), result, arrival.at);
      Echo(std::move(message), arrival);
    }
    SendAck(id, "", result, user_id_);
    return;
  }
  Publication publication{.message = {}, .arrival = arrival, .publisher = {}, .done = nullptr};
  if (!message.id().empty()) {
    publication.publisher = PublisherKey(message);
    publication.done = [shard = shard_, session_id = id_, id = message.id(),
                        topic = message.topic(),
                        user = message.user_id()](const PublishResult& result) {
      Session* session = shard->FindSession(session_id);
      if (session == nullptr) return;
      if (result.outcome != Outcome::kOk) {
        session->Refuse(result.outcome, result.detail, id);
      } else {
        session->SendAck(id, topic, result, user);
      }
    };
  } else if (message.action_type() == v1::DIRECT) {
    // Small enough to need no memory of its own.
    publication.done = [shard = shard_, session_id = id_](const PublishResult& result) {
      if (result.outcome == Outcome::kOk) return;
      if (Session* session = shard->FindSession(session_id)) {
        session->Refuse(result.outcome, result.detail);
      }
    };
  }
  publication.message = std::move(message);
  shard_->engine().bus().Publish(*shard_, std::move(publication));
}

std::string Session::PublisherKey(const v1::Message& message) const {
  // A session without a user is told apart from the others by its id.
  return message.user_id().empty() ? absl::StrCat("session:", id_)
                                   : absl::StrCat("user:", message.user_id());
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
  Deliver(event, shard_->clock().Now());
}

}  // namespace crier
