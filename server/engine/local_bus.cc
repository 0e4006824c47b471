#include "server/engine/local_bus.h"

#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// What the home shard of a publication is found by. A message to its own sender is at home where
// its sender is, so that its id is remembered in one place.
const std::string& HomeNameOf(const Publication& publication) {
  const v1::Message& message = publication.message;
  if (message.action_type() != v1::DIRECT) return message.topic();
  return message.to().empty() ? publication.publisher : message.to();
}

}  // namespace

void LocalBus::Publish(Shard& from, Publication publication) {
  // Runs on: the thread of `from`
  assert(from.IsCurrent());
  const size_t home = engine_->HomeIndexOf(HomeNameOf(publication));
  if (home == from.index()) {
    from.publish_desk().Take(std::move(publication));
    return;
  }
  const SessionRef session = publication.reply.session;
  from.mail().Send(home, PublishMail{std::move(publication)});
  from.mail().SlowDown(home, session);
}

}  // namespace crier
