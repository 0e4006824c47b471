#include "server/engine/topic_store.h"

#include <algorithm>
#include <cassert>
#include <chrono>
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
// A page of history; more is asked for page by page.
constexpr size_t kHistoryBytes = 1 << 20;

int64_t SecondOf(TimePoint time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
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
  if (topic == nullptr) return OverloadedResult();
  const bool was_empty = topic->canonical().tail() > topic->canonical().head();
  PublishResult result = topic->Publish(publication);
  if (was_empty) LookNext(topic);
  Used(topic);
  return result;
}

HistoryRange TopicStore::History(const HistoryQuestion& question) {
  HistoryRange range;
  const Topic* topic = Find(question.topic);
  if (topic == nullptr) return range;
  const EventLog& log = topic->canonical();
  range.epoch = topic->epoch();
  range.tail = log.tail();
  range.head = log.head();
  uint64_t next = std::max(question.from, log.tail());
  const uint64_t end = std::min(log.head() + 1, next + question.max_events);
  size_t bytes = 0;
  while (next < end && bytes < kHistoryBytes) {
    // One event at a time: a page is read seldom, and ends at an exact number.
    const EventRun run = log.Read(next, 0);
    HistoryRange::Run* const last = range.events.empty() ? nullptr : &range.events.back();
    if (last != nullptr && last->bytes.data() + last->bytes.size() == run.data) {
      last->bytes = {last->bytes.data(), last->bytes.size() + run.size};
    } else {
      run.chunk->Ref();
      range.events.push_back(
          {.chunk = ChunkPtr(const_cast<Chunk*>(run.chunk)), .bytes = {run.data, run.size}});
    }
    bytes += run.size;
    next = run.last + 1;
  }
  return range;
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

v1::Event TopicStore::Presence(const PresenceAskedMail& question) {
  v1::Event event;
  v1::Presence& presence = *event.mutable_presence();
  presence.set_topic(question.topic);
  presence.set_id(question.id);
  if (const Topic* topic = Find(question.topic)) {
    topic->DescribePresence(kMostUsersInPresence, &presence);
  }
  return event;
}

// --- Following.

FeedStart TopicStore::AddFeed(std::string_view name, size_t shard, const Encoding* encoding) {
  Topic* topic = FindOrMake(name, /*wanted=*/true);
  if (!topic->followed()) shard_.engine().followed_topics().Add(1);
  FeedStart start = topic->AddFeed(shard, encoding);
  Used(topic);
  if (IsPresenceLog(name)) {
    // Who watches a topic follows it too, and began with that.
    if (Topic* watched = Find(TopicOf(name))) watched->Watch();
  }
  return start;
}

void TopicStore::RemoveFeed(std::string_view name, size_t shard, const Encoding* encoding) {
  Topic* topic = Find(name);
  assert(topic != nullptr && topic->followed());
  topic->RemoveFeed(shard, encoding);
  if (topic->followed()) return;
  shard_.engine().followed_topics().Add(-1);
  if (IsPresenceLog(name)) {
    if (Topic* watched = Find(TopicOf(name))) watched->Unwatch();
    // Nobody goes on from a place in it.
    Forget(topic);
  } else if (topic->canonical().head() == 0) {
    // Nothing was ever published to it: the next one of this name is the same.
    Forget(topic);
  } else {
    Used(topic);
  }
}

void TopicStore::Handed(std::string_view name, size_t shard, const Encoding* encoding,
                        uint64_t through) {
  if (Topic* topic = Find(name)) topic->Handed(shard, encoding, through);
}

void TopicStore::SetFollower(const FollowerMail& mail) {
  if (Topic* topic = Find(mail.topic)) topic->SetFollower(mail.user, mail.here);
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

void TopicStore::AskForSlice(size_t shard, SliceAskedMail question) {
  asked_slices_.push_back({.shard = shard, .question = std::move(question)});
  shard_.ScheduleFlush();
}

bool TopicStore::ServeSlices() {
  for (size_t i = 0; i < kSlicesPerFlush && !asked_slices_.empty(); ++i) {
    const AskedSlice asked = std::move(asked_slices_.front());
    asked_slices_.pop_front();
    const SliceAskedMail& question = asked.question;
    SliceMail answer{.topic = question.topic,
                     .from = question.from,
                     .session = question.session,
                     .first = 0,
                     .last = 0,
                     .slice = {}};
    Topic* topic = Find(question.topic);
    // The session that asked may have left, and its encoding's log with it.
    if (topic == nullptr || !topic->FollowedIn(question.encoding)) continue;
    LogSlice slice = topic->Slice(question.encoding, question.from);
    answer.first = slice.first;
    answer.last = slice.last;
    answer.slice = std::move(slice.chunk);
    if (std::find(sliced_.begin(), sliced_.end(), topic) == sliced_.end()) {
      sliced_.push_back(topic);
    }
    shard_.mail().Send(asked.shard, std::move(answer));
  }
  return !asked_slices_.empty();
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
