#include "server/cluster/cluster_bus.h"

#include <sodium.h>

#include <array>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

std::string RandomName() {
  std::array<unsigned char, 8> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  std::array<char, 2 * bytes.size() + 1> hex;
  return sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
}

// A message to its own sender needs no other node.
bool StaysHere(const v1::Message& message) {
  return message.action_type() == v1::DIRECT && message.to().empty();
}

}  // namespace

ClusterBus::ClusterBus(Engine* engine, ClusterOptions options)
    : engine_(engine),
      options_(std::move(options)),
      keys_(options_.url),
      scripts_(keys_.LifeKey(), engine->options().topic_log, engine->options().remembered_for),
      node_(RandomName()),
      local_(engine),
      shards_(engine->options().shards) {
  assert(options_.enabled());
}

ClusterBus::~ClusterBus() = default;

ClusterShard* ClusterBus::Of(Shard& shard) {
  // Runs on: the thread of `shard`
  assert(shard.IsCurrent() || stopped_);
  return stopped_ ? nullptr : shards_[shard.index()].get();
}

void ClusterBus::Start(Shard& shard) {
  shards_[shard.index()] =
      std::make_unique<ClusterShard>(&shard, &options_, &keys_, &scripts_, node_);
}

void ClusterBus::Publish(Shard& from, Publication publication) {
  if (StaysHere(publication.message)) return local_.Publish(from, std::move(publication));
  Of(from)->Publish(std::move(publication));
}

void ClusterBus::Follow(Shard& home, const std::string& topic) {
  if (ClusterShard* const its = Of(home)) its->Follow(topic);
}

void ClusterBus::Unfollow(Shard& home, const std::string& topic) {
  if (ClusterShard* const its = Of(home)) its->Unfollow(topic);
}

void ClusterBus::ReadPast(Shard& home, const std::string& topic, uint64_t from, PastLimits limits,
                          PastDone done) {
  Of(home)->ReadPast(topic, from, limits, std::move(done));
}

void ClusterBus::SetUser(Shard& home, const std::string& user, bool here) {
  if (ClusterShard* const its = Of(home)) its->SetUser(user, here);
}

void ClusterBus::AwaitUser(Shard& home, const std::string& user, absl::AnyInvocable<void()> done) {
  Of(home)->AwaitUser(user, std::move(done));
}

void ClusterBus::AskPresence(Shard& home, const std::string& topic, PresenceDone done) {
  Of(home)->AskPresence(topic, std::move(done));
}

void ClusterBus::Stop() {
  stopped_ = true;
  shards_.clear();
}

}  // namespace crier
