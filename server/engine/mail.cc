#include "server/engine/mail.h"

namespace crier {
namespace {

// What a message of the model takes, near enough, without a walk over its fields.
size_t BytesOf(const v1::Message& message) {
  return message.body().size() + message.data().size() + message.topic().size() +
         message.to().size() + message.id().size() + message.user_id().size();
}

struct Weigh {
  size_t operator()(const PublishMail& mail) const {
    return BytesOf(mail.publication.message) + mail.publication.publisher.size() +
           mail.publication.reply.topic.size();
  }
  // The event is shared by all who get it; each is told of the whole.
  size_t operator()(const DeliverMail& mail) const { return BytesOf(mail.event->message()); }
  size_t operator()(const PresenceMail& mail) const { return mail.event->ByteSizeLong(); }
  size_t operator()(const SnapshotMail& mail) const {
    return mail.event == nullptr ? 0 : mail.event->ByteSizeLong();
  }
  size_t operator()(const HistoryMail& mail) const {
    return mail.range.events.size() * sizeof(HistoryRange::Run);
  }
  size_t operator()(const UserMail& mail) const { return mail.user.size(); }
  size_t operator()(const FollowerMail& mail) const { return mail.topic.size() + mail.user.size(); }
  size_t operator()(const PublishedMail& mail) const {
    return mail.reply.topic.size() + mail.reply.id.size() + mail.result.detail.size();
  }
  template <typename Other>
  size_t operator()(const Other&) const {
    return 0;
  }
};

}  // namespace

size_t BytesOf(const Mail& mail) { return sizeof(Mail) + std::visit(Weigh(), mail); }

}  // namespace crier
