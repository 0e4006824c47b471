#include "server/engine/local_bus.h"

#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {

void LocalBus::Publish(Shard& from, Publication publication) {
  // Runs on: the thread of `from`
  assert(from.IsCurrent());
  const v1::Message& message = publication.message;
  Shard& home =
      engine_->HomeOf(message.action_type() == v1::DIRECT ? message.to() : message.topic());
  if (&home == &from) {
    home.PublishHere(std::move(publication));
    return;
  }
  if (publication.done) {
    publication.done = [&from, &home,
                        done = std::move(publication.done)](const PublishResult& result) mutable {
      home.SendTo(from.index(), [done = std::move(done), result]() mutable { done(result); });
    };
  }
  from.SendTo(home.index(), [&home, publication = std::move(publication)]() mutable {
    home.PublishHere(std::move(publication));
  });
}

}  // namespace crier
