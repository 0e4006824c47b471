#include "server/engine/topic_store.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/presence_log.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// An empty topic that nobody follows is kept a while, for its epoch: a client that comes back to it
// is then told that it missed nothing.
constexpr std::chrono::minutes kKeptEmpty{10};
// Clients that come back at the same time do so within a few seconds.
constexpr std::chrono::seconds kSlicesKept{2};
constexpr size_t kMostUsersInPresence = 1000;

int64_t SecondOf(TimePoint time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

// What another node says of the same topic.
void AddPresence(const v1::Presence& other, v1::Event* event) {
  v1::Presence& all = *event->mutable_presence();
  all.set_sessions(all.sessions() + other.sessions());
  const std::set<std::string> known(all.users().begin(), all.users().end());
  for (const std::string& user : other.users()) {
    if (all.users_size() == static_cast<int>(kMostUsersInPresence)) break;
    if (!known.contains(user)) all.add_users(user);
  }
}

}  // namespace

TopicStore::TopicStore(Shard* shard)
    : shard_(*shard),
      second_(SecondOf(shard->clock().Now())),
      presence_(shard),
      epoch_(shard->engine().NewEpoch()) {}

TopicStore::~TopicStore() {
  for (Table& table : tables_) {
    for (const Slot& slot : table) delete slot.topic;
  }
}

Topic* TopicStore::Find(const Name& name) {
  Table& table = TableOf(name.hash);
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->topic;
}

Topic* TopicStore::Find(std::string_view name) { return Find(Name{HashName(name), name}); }

Topic* TopicStore::FindOrMake(std::string_view name, bool wanted) {
  const Name key{HashName(name), name};
  if (Topic* topic = Find(key)) return topic;
  LimitedCount& count = shard_.engine().topics();
  if (count.full()) {
    if (!unfollowed_.empty()) {
      Forget(&unfollowed_.front());
    } else if (!wanted) {
      return nullptr;
    }
  }
  auto* topic = new Topic(&shard_, std::string(name), epoch_);
  TableOf(key.hash).insert(Slot{key.hash, topic});
  count.Add(1);
  unfollowed_.push_back(*topic);
  LookNext(topic);
  return topic;
}

PublishResult TopicStore::Publish(Publication* publication) {
  Topic* topic = FindOrMake(publication->message.topic(), /*wanted=*/false);
  return topic == nullptr ? OverloadedResult() : PublishTo(topic, publication);
}

PublishResult TopicStore::PublishTo(Topic* topic, Publication* publication) {
  const bool was_empty = topic->canonical().tail() > topic->canonical().head();
  PublishResult result = topic->Publish(publication);
  if (was_empty) LookNext(topic);
  Used(topic);
  return result;
}

TopicStore::Page TopicStore::PageOf(uint64_t after, size_t most) const {
  // Hashes in order; what comes meanwhile moves nobody.
  Page page;
  page.last = after == UINT64_MAX;
  if (page.last) return page;
  const uint64_t first = after + 1;
  std::vector<Slot> found;
  for (const Slot& slot : tables_[first >> 58]) {
    if (slot.hash >= first) found.push_back(slot);
  }
  const auto earlier = [](const Slot& a, const Slot& b) { return a.hash < b.hash; };
  page.next = first | (UINT64_MAX >> 6);
  if (found.size() > most) {
    std::nth_element(found.begin(), found.begin() + static_cast<ptrdiff_t>(most), found.end(),
                     earlier);
    // Of topics with the same hash either all are on the page or none.
    page.next = found[most].hash - 1;
    std::erase_if(found, [&page](const Slot& slot) { return slot.hash > page.next; });
  }
  std::sort(found.begin(), found.end(), earlier);
  for (const Slot& slot : found) page.topics.push_back(slot.topic);
  page.last = page.next == UINT64_MAX;
  return page;
}

void TopicStore::DescribePresence(std::string_view name, v1::Presence* presence) {
  if (const Topic* topic = Find(name)) topic->DescribePresence(kMostUsersInPresence, presence);
}

void TopicStore::AskForPresence(size_t from, const PresenceAskedMail& question) {
  auto event = std::make_shared<v1::Event>();
  v1::Presence& presence = *event->mutable_presence();
  presence.set_topic(question.topic);
  presence.set_id(question.id);
  DescribePresence(question.topic, &presence);
  SharedBus* const bus = SharedBusOf(question.topic);
  if (bus == nullptr) {
    return shard_.mail().Send(from, PresenceMail{question.session, std::move(event)});
  }
  bus->AskPresence(shard_, question.topic,
                   [this, from, event = std::move(event),
                    session = question.session](std::vector<v1::Presence> others) {
                     for (const v1::Presence& other : others) AddPresence(other, event.get());
                     shard_.mail().Send(from, PresenceMail{session, event});
                   });
}

// --- Following.

SharedBus* TopicStore::SharedBusOf(std::string_view name) const {
  return IsPresenceLog(name) ? nullptr : shard_.engine().bus().shared();
}

void TopicStore::AddFeed(std::string_view name, const TopicReader& reader) {
  Topic* topic = FindOrMake(name, /*wanted=*/true);
  SharedBus* const bus = SharedBusOf(name);
  const bool first = !topic->followed();
  if (first) shard_.engine().followed_topics().Add(1);
  topic->AddFeed(reader, /*begun=*/bus == nullptr);
  Used(topic);
  if (IsPresenceLog(name)) {
    // Who watches a topic follows it too, and began with that.
    Watch(TopicOf(name));
  }
  if (first && bus != nullptr) bus->Follow(shard_, topic->name());
  topic->StartFeed(reader);
}

void TopicStore::Watch(std::string_view name) {
  Topic* const topic = Find(name);
  if (topic == nullptr || !topic->followed() || topic->presence() != nullptr) return;
  SharedBus* const bus = SharedBusOf(name);
  topic->Watch(/*shared=*/bus != nullptr);
  if (bus != nullptr) bus->WatchPresence(shard_, topic->name());
}

void TopicStore::Unwatch(std::string_view name) {
  Topic* const topic = Find(name);
  if (topic == nullptr || topic->presence() == nullptr) return;
  topic->Unwatch();
  CeaseToWatch(*topic);
}

void TopicStore::CeaseToWatch(const Topic& topic) {
  SharedBus* const bus = SharedBusOf(topic.name());
  if (bus != nullptr) bus->UnwatchPresence(shard_, topic.name());
}

void TopicStore::RemoveFeed(std::string_view name, size_t shard, const Encoding* encoding) {
  Topic* topic = Find(name);
  assert(topic != nullptr && topic->followed());
  const bool watched = topic->presence() != nullptr;
  topic->RemoveFeed(shard, encoding);
  // The last follower has left before it ceased to watch.
  if (watched && topic->presence() == nullptr) CeaseToWatch(*topic);
  if (topic->followed()) return;
  shard_.engine().followed_topics().Add(-1);
  if (IsPresenceLog(name)) {
    Unwatch(TopicOf(name));
    // Nobody goes on from a place in it.
    Forget(topic);
  } else if (SharedBus* const bus = SharedBusOf(name)) {
    // What comes from now on does not come here.
    bus->Unfollow(shard_, topic->name());
    Forget(topic);
  } else if (topic->canonical().head() == 0) {
    // Nothing was ever published to it: the next one of this name is the same.
    Forget(topic);
  } else {
    Used(topic);
  }
}

void TopicStore::Handed(size_t shard, const HandedMail& mail) {
  Topic* topic = Find(mail.topic);
  // What was said of an epoch that is over.
  if (topic == nullptr || topic->epoch() != mail.epoch) return;
  topic->Handed(shard, mail.encoding, mail.through);
}

void TopicStore::SetFollower(const FollowerMail& mail) {
  if (Topic* topic = Find(mail.topic)) topic->SetFollower(mail.user, mail.here);
}

void TopicStore::FollowerChanged(const Topic& topic, const std::string& user, bool here) {
  if (SharedBus* const bus = SharedBusOf(topic.name())) {
    bus->FollowerChanged(shard_, topic.name(), user, here);
  }
}

void TopicStore::ChangeFollowersElsewhere(std::string_view name, const FollowersElsewhere& change) {
  Topic* const topic = Find(name);
  if (topic != nullptr && topic->presence() != nullptr) topic->SetFollowersElsewhere(change);
}

void TopicStore::AllFollowersKnown(std::string_view name) {
  Topic* const topic = Find(name);
  if (topic != nullptr && topic->presence() != nullptr) presence_.AllKnown(topic->presence());
}

void TopicStore::AppendChange(Topic* log, const v1::Event& change) {
  const bool was_empty = log->canonical().tail() > log->canonical().head();
  log->AppendChange(change);
  if (was_empty) LookNext(log);
  Used(log);
}

void TopicStore::MarkMoved(Topic* topic) {
  moved_.push_back(topic);
  shard_.ScheduleFlush();
}

void TopicStore::TellFeeds() {
  for (Topic* topic : moved_) {
    topic->dirty = false;
    topic->TellFeeds();
  }
  moved_.clear();
}

// --- Memory.

bool TopicStore::MakeRoom() {
  MemoryMeter& memory = shard_.memory();
  for (int i = 0; i < kGivingWayPerPublish && memory.near_limit(); ++i) {
    if (!GiveWay()) break;
  }
  return !memory.full();
}

bool TopicStore::GiveWay() {
  if (!unfollowed_.empty()) {
    Forget(&unfollowed_.front());
    return true;
  }
  if (followed_.empty()) return false;
  Topic& topic = followed_.front();
  topic.Shrink();
  Used(&topic);
  return true;
}

void TopicStore::Forget(Topic* topic) {
  if (topic->canonical().head() > 0) epoch_ = shard_.engine().NewEpoch();
  if (topic->dirty) std::erase(moved_, topic);
  std::erase(sliced_, topic);
  const uint64_t hash = HashName(topic->name());
  TableOf(hash).erase(Slot{hash, topic});
  shard_.engine().topics().Add(-1);
  delete topic;
}

// To the end of the list it belongs to.
void TopicStore::Used(Topic* topic) {
  auto& hook = static_cast<TopicHook<UseTag>&>(*topic);
  if (hook.is_linked()) hook.unlink();
  (topic->followed() ? followed_ : unfollowed_).push_back(*topic);
}

// --- From a SharedBus.

void TopicStore::Begin(Topic* topic, uint64_t epoch, uint64_t base, bool complete) {
  topic->Begin(epoch, base, complete);
  LookNext(topic);
  Used(topic);
}

void TopicStore::Append(Topic* topic, Publication* publication) {
  assert(topic->begun() && publication->message.epoch() == topic->epoch() &&
         publication->message.offset() == topic->canonical().head() + 1);
  PublishTo(topic, publication);
}

// --- Time.

void TopicStore::LookAt(Topic* topic, TimePoint at) {
  auto& hook = static_cast<TopicHook<DueTag>&>(*topic);
  if (hook.is_linked()) hook.unlink();
  // Not before it is due, and within one turn of the wheel.
  const int64_t second =
      std::clamp<int64_t>(SecondOf(at) + 1, second_ + 1, second_ + int64_t{kDueSlots} - 1);
  wheel_[static_cast<size_t>(second) % kDueSlots].push_back(*topic);
}

void TopicStore::LookNext(Topic* topic) {
  const bool empty = topic->canonical().tail() > topic->canonical().head();
  LookAt(topic, topic->oldest() +
                    (empty ? Duration(kKeptEmpty) : Duration(shard_.options().topic_log.age)));
}

void TopicStore::Tick(TimePoint now) {
  // Runs on: shard thread
  const int64_t second = SecondOf(now);
  while (second_ < second) {
    ++second_;
    DueList& slot = wheel_[static_cast<size_t>(second_) % kDueSlots];
    due_.splice(due_.end(), slot);
  }
  ExpireSome(now);
  // Whoever asks again and again while there is no answer has one question.
  std::set<std::tuple<uint64_t, uint64_t, std::string>> asked;
  for (AskedSlice& late : std::exchange(late_slices_, {})) {
    SliceAskedMail& question = late.question;
    if (asked.emplace(question.session, question.from, question.topic).second) {
      AskForSlice(late.shard, std::move(question));
    }
  }
  presence_.Tick(now);
  for (size_t i = 0; i < kMostGivingWayPerTick && shard_.memory().near_limit(); ++i) {
    if (!GiveWay()) break;
  }
  if (now >= slices_drop_at_) {
    for (Topic* topic : std::exchange(sliced_, {})) topic->DropSlices();
    slices_drop_at_ = now + kSlicesKept;
  }
}

void TopicStore::ExpireSome(TimePoint now) {
  for (size_t i = 0; i < kMostDuePerTick && !due_.empty(); ++i) {
    Topic& topic = due_.front();
    due_.pop_front();
    topic.Expire(now);
    const bool empty = topic.canonical().tail() > topic.canonical().head();
    if (!empty) {
      LookNext(&topic);
    } else if (!topic.followed() && now - topic.last_used >= kKeptEmpty) {
      Forget(&topic);
    } else {
      LookAt(&topic, std::max(now, topic.last_used) + kKeptEmpty);
    }
  }
}

}  // namespace crier
