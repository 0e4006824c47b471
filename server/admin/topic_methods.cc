// crier.v1.Admin: what is about topics.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "crier/v1/admin.pb.h"
#include "server/admin/admin_methods.h"
#include "server/admin/session_walk.h"
#include "server/engine/gate.h"
#include "server/engine/log_rate.h"
#include "server/engine/presence_log.h"
#include "server/metrics/handler_exceptions.h"

namespace crier {
namespace {

constexpr uint32_t kMostOnPage = 500;
// A call ends then, and the next one goes on.
constexpr size_t kMostLookedAt = 50'000;
constexpr size_t kTopicsPerTurn = 200;

// `home`: the topic's. Runs on: its thread.
void Describe(const Shard& home, const Topic& topic, v1::TopicInfo* info) {
  info->set_topic(topic.name());
  info->set_epoch(topic.epoch());
  info->set_followers(topic.followers());
  info->set_tail(topic.canonical().tail());
  info->set_head(topic.canonical().head());
  info->set_bytes(topic.log_memory());
  info->set_messages_per_second(
      LogRate(topic.canonical(), home.engine().options().topic_log, home.clock().Now()));
}

// A page that is gathered shard by shard, some topics in a turn.
struct Listing {
  Engine* engine;
  Shard* asker;
  std::string prefix;
  size_t most;
  WalkCursor at;
  size_t looked_at = 0;
  v1::ListTopicsResponse response;
  absl::AnyInvocable<void(const Listing& listing, bool fine)> done;
};

void Finish(const std::shared_ptr<Listing>& listing, bool fine) {
  listing->asker->Post([listing, fine] { listing->done(*listing, fine); });
}

// One turn. True: the page is full, or the walk has looked at enough.
bool Gather(Listing* listing, Shard& shard) {
  const size_t room = listing->most - static_cast<size_t>(listing->response.topics_size());
  const TopicStore::Page page =
      shard.topics().PageOf(listing->at.after, std::min(kTopicsPerTurn, room));
  for (const Topic* topic : page.topics) {
    ++listing->looked_at;
    if (!IsPresenceLog(topic->name()) && topic->name().starts_with(listing->prefix)) {
      Describe(shard, *topic, listing->response.add_topics());
    }
  }
  listing->at.after = page.next;
  if (page.last) listing->at = {.shard = listing->at.shard + 1, .after = 0};
  return static_cast<size_t>(listing->response.topics_size()) >= listing->most ||
         listing->looked_at >= kMostLookedAt;
}

void GatherOn(const std::shared_ptr<Listing>& listing) {
  if (listing->at.shard >= listing->engine->shard_count()) return Finish(listing, true);
  listing->engine->shard(listing->at.shard).Post([listing] {
    Shard& shard = listing->engine->shard(listing->at.shard);
    bool ends = false;
    const bool fine = NoThrow(&shard.metrics().handler_exceptions, "a walk over topics",
                              [&] { ends = Gather(listing.get(), shard); });
    if (ends || !fine) return Finish(listing, fine);
    GatherOn(listing);
  });
}

void ListTopics(const AdminContext& context, UnaryCall& call, v1::ListTopicsRequest request) {
  const auto from = WalkCursor::Parse(request.page_token());
  if (!from) {
    return call.Fail(Outcome::kInvalidMessage,
                     "page_token is not what a page before has given as next_page_token");
  }
  const uint32_t wanted = request.page_size();
  auto listing = std::make_shared<Listing>();
  listing->engine = context.engine;
  listing->asker = &call.shard();
  listing->prefix = request.prefix();
  listing->most = wanted == 0 ? kMostOnPage : std::min(wanted, kMostOnPage);
  listing->at = *from;
  listing->done = call.Later([](UnaryCall& asked, const Listing& listed, bool fine) {
    if (!fine) return asked.Fail(Outcome::kInternal);
    v1::ListTopicsResponse response = listed.response;
    if (listed.at.shard < listed.engine->shard_count()) {
      response.set_next_page_token(listed.at.Text());
    }
    asked.Respond(response);
  });
  GatherOn(listing);
}

void GetTopic(const AdminContext& context, UnaryCall& call, v1::GetTopicRequest request) {
  Engine& engine = *context.engine;
  if (auto refusal = AdmitTopic(request.topic(), engine.options())) {
    return call.Fail(ErrorOf(*refusal));
  }
  Shard& home = engine.shard(engine.HomeIndexOf(request.topic()));
  auto info = std::make_shared<v1::TopicInfo>();
  info->set_topic(request.topic());
  auto answer = call.Later([info](UnaryCall& asked) { asked.Respond(*info); });
  home.Post([&home, &asker = call.shard(), info, answer = std::move(answer)]() mutable {
    if (const Topic* topic = home.topics().Find(info->topic())) {
      Describe(home, *topic, info.get());
    }
    asker.Post(std::move(answer));
  });
}

}  // namespace

void AddTopicMethods(const AdminContext& context, UnaryMethods* methods) {
  AddAdminMethod<v1::ListTopicsRequest, v1::ListTopicsResponse>(context, methods, "ListTopics",
                                                                &ListTopics);
  AddAdminMethod<v1::GetTopicRequest, v1::TopicInfo>(context, methods, "GetTopic", &GetTopic);
}

}  // namespace crier
