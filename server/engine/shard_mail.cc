// Shard: what it does with its mail, a function for each kind.
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {

// Runs on: shard thread, all of it.
class Shard::MailReader {
 public:
  MailReader(Shard* shard, size_t from) : shard_(*shard), from_(from) {}

  void operator()(PublishMail& mail) { shard_.publish_desk().Take(std::move(mail.publication)); }
  void operator()(PublishedMail& mail) {
    if (mail.reply.done) return mail.reply.done(mail.result);
    if (Session* session = Find(mail.reply.session.id))
      session->OnPublished(mail.reply, mail.result);
  }
  void operator()(DeliverMail& mail) {
    Session* session = Find(mail.session);
    if (session == nullptr) return;
    if (mail.answer) {
      session->Answer(*mail.event, mail.received_at);
    } else {
      session->Deliver(*mail.event, mail.received_at);
    }
  }
  void operator()(HoldMail& mail) {
    Session* session = Find(mail.session);
    if (session == nullptr) return;
    if (mail.hold) {
      session->HoldReading();
    } else {
      session->ReleaseReading();
    }
  }

  void operator()(FollowMail& mail) {
    shard_.topics().AddFeed(mail.topic, {from_, mail.encoding, mail.ticket});
  }
  void operator()(FollowedMail& mail) {
    shard_.feeds().Start(mail.topic, mail.encoding, mail.ticket, mail.start);
  }
  void operator()(BegunMail& mail) {
    shard_.feeds().BeginAnew(mail.topic, mail.encoding, mail.start, mail.complete);
  }
  void operator()(UnfollowMail& mail) {
    shard_.topics().RemoveFeed(mail.topic, from_, mail.encoding);
  }
  void operator()(LogMovedMail& mail) {
    shard_.feeds().Apply(mail.topic, mail.encoding, mail.epoch, mail.delta);
  }
  void operator()(HandedMail& mail) { shard_.topics().Handed(from_, mail); }
  void operator()(SliceAskedMail& mail) { shard_.topics().AskForSlice(from_, std::move(mail)); }
  void operator()(SliceMail& mail) {
    if (Session* session = Find(mail.session)) session->following().OnSlice(mail);
  }

  void operator()(HistoryAskedMail& mail) {
    shard_.topics().AskForHistory(from_, std::move(mail.question));
  }
  void operator()(HistoryMail& mail) { mail.done(std::move(mail.range)); }

  void operator()(UserMail& mail) {
    const SessionRef ref{.shard = from_, .id = mail.session};
    Directory& directory = shard_.directory();
    SharedBus* const bus = shard_.engine().bus().shared();
    const bool was_here = bus != nullptr && !directory.Find(mail.user).empty();
    bool added = false;
    if (!mail.here) {
      directory.Remove(mail.user, ref);
    } else {
      added = directory.Add(mail.user, ref, shard_.options().max_sessions_per_user);
    }
    if (bus != nullptr) {
      const bool is_here = !directory.Find(mail.user).empty();
      if (is_here != was_here) bus->SetUser(shard_, mail.user, is_here);
    }
    if (added && mail.confirm) {
      bus->AwaitUser(shard_, mail.user, [&shard = shard_, to = from_, session = mail.session] {
        shard.mail().Send(to, UserHereMail{session});
      });
    }
    if (added || !mail.here) return;
    // Posted, also to this shard: the session may be opening.
    Shard& its = shard_.engine().shard(from_);
    its.Post([&its, id = mail.session] {
      if (Session* session = its.sessions().Find(id)) session->RefuseUser();
    });
  }
  void operator()(UserHereMail& mail) {
    if (Session* session = Find(mail.session)) session->OnUserHere();
  }
  void operator()(MissedMail& mail) {
    if (Session* session = Find(mail.session)) session->NoteMissedDirects();
  }
  void operator()(FollowerMail& mail) { shard_.topics().SetFollower(mail); }
  void operator()(PresenceAskedMail& mail) { shard_.topics().AskForPresence(from_, mail); }
  void operator()(PresenceMail& mail) {
    Session* session = Find(mail.session);
    if (session == nullptr) return;
    session->Answer(*mail.event, shard_.clock().Now());
    session->Await(-Session::kPresenceBytes);
  }

  void operator()(SnapshotAskedMail& mail) {
    shard_.topics().presence().AskForSnapshot(mail.topic, mail.asker);
  }
  void operator()(SnapshotMail& mail) {
    if (Session* session = Find(mail.asker.session.id)) session->following().OnSnapshot(mail);
  }

  void operator()(CreditMail& mail) { shard_.mail().Credit(from_, mail.bytes); }

 private:
  Session* Find(uint64_t session) { return shard_.sessions().Find(session); }

  Shard& shard_;
  const size_t from_;
};

void Shard::Receive(size_t from, Mail mail) {
  // Runs on: shard thread
  assert(IsCurrent());
  std::visit(MailReader(this, from), mail);
}

}  // namespace crier
