// crier.v1.Admin: what is about topics.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crier/v1/admin.pb.h"
#include "server/admin/admin_methods.h"
#include "server/admin/node_pages.h"
#include "server/admin/other_nodes.h"
#include "server/admin/session_walk.h"
#include "server/base/string_map.h"
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
  info->set_nodes(1);
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

// The topics of this node.
void ListHere(const AdminContext& context, UnaryCall& call, const v1::ListTopicsRequest& request,
              absl::AnyInvocable<void(UnaryCall& call, v1::ListTopicsResponse response)> done) {
  const auto from = WalkCursor::Parse(request.page_token());
  if (!from) return call.Fail(Outcome::kInvalidMessage, kWrongPageToken);
  const uint32_t wanted = request.page_size();
  auto listing = std::make_shared<Listing>();
  listing->engine = context.engine;
  listing->asker = &call.shard();
  listing->prefix = request.prefix();
  listing->most = wanted == 0 ? kMostOnPage : std::min(wanted, kMostOnPage);
  listing->at = *from;
  listing->done = call.Later(
      [done = std::move(done)](UnaryCall& asked, const Listing& listed, bool fine) mutable {
        if (!fine) return asked.Fail(Outcome::kInternal);
        v1::ListTopicsResponse response = listed.response;
        if (listed.at.shard < listed.engine->shard_count()) {
          response.set_next_page_token(listed.at.Text());
        }
        done(asked, std::move(response));
      });
  GatherOn(listing);
}

// --- Topics of several nodes.

// Those of `names` that are here. `done` runs on the asker's thread.
void DescribeHere(Engine* engine, Shard* asker, const std::vector<std::string>& names,
                  absl::AnyInvocable<void(v1::ListTopicsResponse)> done) {
  struct Gathered {
    std::vector<std::vector<std::string>> by_home;
    v1::ListTopicsResponse response;
    absl::AnyInvocable<void(v1::ListTopicsResponse)> done;
  };
  auto gathered = std::make_shared<Gathered>();
  gathered->by_home.resize(engine->shard_count());
  gathered->done = std::move(done);
  for (const std::string& name : names) {
    gathered->by_home[engine->HomeIndexOf(name)].push_back(name);
  }
  // One shard after the other, so that no two write the response.
  const auto next = [engine, asker, gathered](const auto& self, size_t index) -> void {
    if (index == engine->shard_count()) {
      return asker->Post([gathered] { gathered->done(std::move(gathered->response)); });
    }
    engine->shard(index).Post([engine, gathered, self, index] {
      Shard& home = engine->shard(index);
      for (const std::string& name : gathered->by_home[index]) {
        const Topic* const topic = home.topics().Find(name);
        if (topic != nullptr) Describe(home, *topic, gathered->response.add_topics());
      }
      self(self, index + 1);
    });
  };
  next(next, 0);
}

// What all nodes say of one topic.
void Merge(const v1::TopicInfo& other, v1::TopicInfo* info) {
  const uint64_t followers = info->followers() + other.followers();
  const uint32_t nodes = info->nodes() + other.nodes();
  const auto place = [](const v1::TopicInfo& of) { return std::pair(of.epoch(), of.head()); };
  if (place(*info) < place(other)) *info = other;
  info->set_followers(followers);
  info->set_nodes(nodes);
}

// The topics of `names` over all nodes, by name, and the first node that has each of them.
struct TopicsOfNodes {
  struct Known {
    v1::TopicInfo info;
    std::string first_node;
  };
  bool unavailable = false;
  StringMap<Known> topics;
  size_t silent = 0;

  void Add(const std::string& node, const v1::ListTopicsResponse& response) {
    for (const v1::TopicInfo& info : response.topics()) {
      const auto [known, is_new] = topics.try_emplace(info.topic(), Known{info, node});
      if (is_new) continue;
      Merge(info, &known->second.info);
      known->second.first_node = std::min(known->second.first_node, node);
    }
  }
};

void DescribeEverywhere(Engine* engine, UnaryCall& call, std::vector<std::string> names,
                        absl::AnyInvocable<void(UnaryCall& call, TopicsOfNodes topics)> done) {
  cluster::TopicsQuestion question;
  for (const std::string& name : names) question.add_topics(name);
  AskOtherNodes(
      engine, call, /*node=*/{}, std::string(kTopicsPath), question.SerializeAsString(),
      [engine, names = std::move(names), done = std::move(done)](UnaryCall& asked,
                                                                 NodeResults results) mutable {
        TopicsOfNodes topics;
        topics.unavailable = results.unavailable;
        topics.silent = results.silent;
        for (const auto& [node, result] : results.results) {
          v1::ListTopicsResponse there;
          if (result.code() == 0 && there.ParseFromString(result.response())) {
            topics.Add(node, there);
          } else {
            ++topics.silent;
          }
        }
        DescribeHere(
            engine, &asked.shard(), names,
            asked.Later([engine, topics = std::move(topics), done = std::move(done)](
                            UnaryCall& answered, const v1::ListTopicsResponse& here) mutable {
              topics.Add(NodeName(*engine), here);
              done(answered, std::move(topics));
            }));
      });
}

// --- Methods.

void ListTopics(const AdminContext& context, UnaryCall& call, v1::ListTopicsRequest request) {
  Engine* const engine = context.engine;
  if (!IsEverywhere(*engine, request.node())) {
    return ListHere(
        context, call, request,
        [](UnaryCall& asked, const v1::ListTopicsResponse& response) { asked.Respond(response); });
  }
  // Each page is of one node, with the numbers of all; without the topics that an earlier node has,
  // since they were on its pages.
  ListOverNodes<v1::ListTopicsResponse>(
      context, call, "ListTopics", std::move(request), &ListHere,
      [engine](UnaryCall& asked, const std::string& node, v1::ListTopicsResponse page) {
        std::vector<std::string> names;
        for (const v1::TopicInfo& info : page.topics()) names.push_back(info.topic());
        if (names.empty()) return asked.Respond(page);
        DescribeEverywhere(
            engine, asked, std::move(names),
            [node, page = std::move(page)](UnaryCall& answered, TopicsOfNodes topics) mutable {
              if (topics.unavailable) return answered.Fail(RedisIsAway());
              v1::ListTopicsResponse response;
              response.set_next_page_token(page.next_page_token());
              response.set_silent_nodes(
                  std::max(page.silent_nodes(), static_cast<uint32_t>(topics.silent)));
              for (v1::TopicInfo& info : *page.mutable_topics()) {
                const auto known = topics.topics.find(info.topic());
                // It has gone since.
                if (known == topics.topics.end()) continue;
                if (known->second.first_node < node) continue;
                *response.add_topics() = std::move(known->second.info);
              }
              answered.Respond(response);
            });
      });
}

void GetTopic(const AdminContext& context, UnaryCall& call, v1::GetTopicRequest request) {
  Engine* const engine = context.engine;
  if (auto refusal = AdmitTopic(request.topic(), engine->options())) {
    return call.Fail(ErrorOf(*refusal));
  }
  v1::TopicInfo none;
  none.set_topic(request.topic());
  if (!IsEverywhere(*engine, request.node())) {
    return DescribeHere(engine, &call.shard(), {request.topic()},
                        call.Later([none](UnaryCall& asked, const v1::ListTopicsResponse& here) {
                          asked.Respond(here.topics().empty() ? none : here.topics(0));
                        }));
  }
  DescribeEverywhere(
      engine, call, {request.topic()}, [none](UnaryCall& asked, const TopicsOfNodes& topics) {
        if (topics.unavailable) return asked.Fail(RedisIsAway());
        const auto known = topics.topics.find(none.topic());
        v1::TopicInfo info = known == topics.topics.end() ? none : known->second.info;
        info.set_silent_nodes(static_cast<uint32_t>(topics.silent));
        asked.Respond(info);
      });
}

}  // namespace

void AddTopicMethods(const AdminContext& context, UnaryMethods* methods) {
  AddAdminMethod<v1::ListTopicsRequest, v1::ListTopicsResponse>(context, methods, "ListTopics",
                                                                &ListTopics);
  AddAdminMethod<v1::GetTopicRequest, v1::TopicInfo>(context, methods, "GetTopic", &GetTopic);
}

void AnswerTopics(Engine* engine, Shard* asker, const cluster::TopicsQuestion& question,
                  absl::AnyInvocable<void(std::string response)> answer) {
  DescribeHere(engine, asker, {question.topics().begin(), question.topics().end()},
               [answer = std::move(answer)](const v1::ListTopicsResponse& response) mutable {
                 answer(response.SerializeAsString());
               });
}

}  // namespace crier
