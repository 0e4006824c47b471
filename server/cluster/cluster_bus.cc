#include "server/cluster/cluster_bus.h"

#include <sodium.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <chrono>
#include <future>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "server/base/concat.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

std::string NewNodeName() {
  std::array<char, 64> host{};
  // A longer one is cut off; without one there are the digits.
  if (gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
  std::string name;
  for (const char c : std::string_view(host.data())) {
    // It becomes part of a channel's name, of lines in a log, of commands.
    name += absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '-';
  }
  std::array<unsigned char, 4> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  std::array<char, 2 * bytes.size() + 1> hex;
  sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
  return Concat({name, name.empty() ? "" : "-", hex.data()});
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
      node_(NewNodeName()),
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
  shards_[shard.index()] = std::make_unique<ClusterShard>(
      &shard, &options_, &keys_, &scripts_, node_, &answerer_,
      [this](size_t index, absl::AnyInvocable<void(ClusterShard&)> task) {
        Shard& other = engine_->shard(index);
        other.Post([this, &other, task = std::move(task)]() mutable {
          if (ClusterShard* const its = Of(other)) task(*its);
        });
      });
}

uint64_t ClusterBus::first_session_id() const {
  // 128 million places, each with room for 68 billion sessions.
  constexpr uint32_t kPlaces = 1 << 27;
  constexpr int kRoomBits = 36;
  return (uint64_t{randombytes_uniform(kPlaces)} << kRoomBits) + 1;
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

bool ClusterBus::IsBeforeAll(Shard& shard, std::string_view topic, uint64_t epoch) {
  return Of(shard)->IsBeforeAll(topic, epoch);
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

void ClusterBus::WatchPresence(Shard& home, const std::string& topic) {
  if (ClusterShard* const its = Of(home)) its->WatchPresence(topic);
}

void ClusterBus::UnwatchPresence(Shard& home, const std::string& topic) {
  if (ClusterShard* const its = Of(home)) its->UnwatchPresence(topic);
}

void ClusterBus::FollowerChanged(Shard& home, const std::string& topic, const std::string& user,
                                 bool here) {
  if (ClusterShard* const its = Of(home)) its->FollowerChanged(topic, user, here);
}

void ClusterBus::SetAnswerer(NodeAnswerer answerer) {
  engine_->shard(0).Post(
      [this, answerer = std::move(answerer)]() mutable { answerer_ = std::move(answerer); });
}

void ClusterBus::AskNodes(Shard& shard, const std::string& node, std::string question,
                          NodesDone done) {
  Of(shard)->AskNodes(node, std::move(question), std::move(done));
}

void ClusterBus::Leave() {
  // Long enough for a Redis that is there.
  constexpr std::chrono::milliseconds kPatience{500};
  const auto told = std::make_shared<std::promise<void>>();
  Shard& first = engine_->shard(0);
  first.Post([this, &first, told] {
    ClusterShard* const its = Of(first);
    if (its == nullptr) return told->set_value();
    its->TellEnd([told] { told->set_value(); });
  });
  told->get_future().wait_for(kPatience);
}

void ClusterBus::Stop() {
  stopped_ = true;
  shards_.clear();
}

}  // namespace crier
