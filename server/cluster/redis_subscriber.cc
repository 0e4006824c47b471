#include "server/cluster/redis_subscriber.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/base/concat.h"

namespace crier {
namespace {

// Channels that one command subscribes again. The next command waits for its confirmation, so that
// very many channels are not in memory once more as commands.
constexpr size_t kBatch = 1000;

int64_t CostOf(std::string_view name, size_t entry) {
  return static_cast<int64_t>(name.size() + entry);
}

}  // namespace

RedisSubscriber::RedisSubscriber(boost::asio::io_context* io, RedisAddress address, Options options)
    : options_(std::move(options)),
      socket_(io, std::move(address),
              {.on_up = [this] { OnUp(); },
               .on_reply = [this](const RedisReply& reply) { OnReply(reply); },
               .on_down = [this](std::string_view why, bool was_up) { OnDown(why, was_up); },
               .on_memory = options_.on_memory}),
      ticker_(io, TickInterval(options_.timeout), [this](TimePoint now) { OnTick(now); }) {}

RedisSubscriber::~RedisSubscriber() { Stop(); }

void RedisSubscriber::Start() { socket_.Start(); }

void RedisSubscriber::Stop() {
  socket_.Stop();
  ticker_.Stop();
  is_restoring_ = false;
  wanted_ = 0;
  // What a dropped `confirmed` holds may call back.
  StringMap<Channel> dropped;
  std::swap(dropped, channels_);
  to_restore_ = {};
  Charge(-charged_);
}

// --- Channels.

void RedisSubscriber::Subscribe(std::string channel, absl::AnyInvocable<void()> confirmed) {
  if (socket_.stopped()) return;
  const auto [entry, is_new] = channels_.try_emplace(std::move(channel));
  Channel& state = entry->second;
  assert(!state.is_wanted);
  if (state.is_wanted) return;
  if (is_new) Charge(CostOf(entry->first, sizeof *entry));
  ++wanted_;
  state.is_wanted = true;
  state.confirmed = std::move(confirmed);
  if (!up()) return;
  state.link = links_;
  ++state.awaited;
  Send("SUBSCRIBE", entry->first);
}

void RedisSubscriber::Unsubscribe(std::string_view channel) {
  const auto entry = channels_.find(channel);
  if (entry == channels_.end() || !entry->second.is_wanted) return;
  Channel& state = entry->second;
  --wanted_;
  state.is_wanted = false;
  const absl::AnyInvocable<void()> dropped = std::move(state.confirmed);
  state.confirmed = nullptr;
  if (!up() || state.link != links_) return Forget(entry);
  ++state.awaited;
  Send("UNSUBSCRIBE", entry->first);
}

void RedisSubscriber::Send(std::string_view command, std::string_view channel) {
  const std::string_view args[] = {command, channel};
  socket_.Send(args);
  ++sent_;
}

void RedisSubscriber::Forget(StringMap<Channel>::iterator channel) {
  Charge(-CostOf(channel->first, sizeof *channel));
  channels_.erase(channel);
}

// Sends the next batch, or says that there is none any more.
void RedisSubscriber::Restore() {
  std::vector<std::string> batch;
  while (!to_restore_.empty() && batch.size() < kBatch) {
    std::string name = std::move(to_restore_.back());
    to_restore_.pop_back();
    Charge(-CostOf(name, sizeof name));
    const auto entry = channels_.find(name);
    // Unsubscribed since then, or subscribed anew.
    if (entry == channels_.end() || entry->second.link == links_) continue;
    entry->second.link = links_;
    ++entry->second.awaited;
    batch.push_back(std::move(name));
  }
  if (batch.empty()) {
    is_restoring_ = false;
    to_restore_ = {};
    if (options_.on_restored) options_.on_restored();
    return;
  }
  AppendCommandHead(1 + batch.size(), socket_.out());
  AppendArgument("SUBSCRIBE", socket_.out());
  for (const std::string& name : batch) AppendArgument(name, socket_.out());
  socket_.Flush();
  sent_ += batch.size();
  batch_end_ = sent_;
}

// --- What comes from the connection.

void RedisSubscriber::OnUp() {
  ++links_;
  sent_ = 0;
  confirmed_ = 0;
  to_restore_.reserve(channels_.size());
  for (const auto& [name, channel] : channels_) {
    Charge(CostOf(name, sizeof name));
    to_restore_.push_back(name);
  }
  is_restoring_ = true;
  ticker_.Start();
  if (options_.on_up) options_.on_up();
  if (up()) Restore();
}

void RedisSubscriber::OnReply(const RedisReply& reply) {
  const std::string_view what = reply[0].text();
  if (what == "message") {
    OnMessage(reply[1].text(), reply[2].text());
  } else if (what == "subscribe" || what == "unsubscribe") {
    OnConfirmed(reply[1].text());
  } else if (reply.is_error()) {
    // No rights for a channel, for example. One error stands for a whole command.
    socket_.Fail(reply.text());
  }
  // Else: the answer to a PING.
}

void RedisSubscriber::OnMessage(std::string_view channel, std::string_view payload) {
  const auto entry = channels_.find(channel);
  // Not confirmed: this is still from before an Unsubscribe.
  if (entry == channels_.end() || !entry->second.is_wanted || entry->second.awaited > 0) return;
  options_.on_message(channel, payload);
}

void RedisSubscriber::OnConfirmed(std::string_view channel) {
  ++confirmed_;
  const auto entry = channels_.find(channel);
  if (entry != channels_.end() && entry->second.awaited > 0 && --entry->second.awaited == 0) {
    if (!entry->second.is_wanted) {
      Forget(entry);
    } else if (entry->second.confirmed) {
      absl::AnyInvocable<void()> confirmed = std::move(entry->second.confirmed);
      entry->second.confirmed = nullptr;
      confirmed();
    }
  }
  if (up() && is_restoring_ && confirmed_ >= batch_end_) Restore();
}

void RedisSubscriber::OnDown(std::string_view why, bool was_up) {
  ticker_.Stop();
  if (was_up) {
    is_restoring_ = false;
    for (const std::string& name : to_restore_) Charge(-CostOf(name, sizeof name));
    to_restore_ = {};
    for (auto entry = channels_.begin(); entry != channels_.end();) {
      const auto channel = entry++;
      channel->second.awaited = 0;
      if (!channel->second.is_wanted) Forget(channel);
    }
  }
  if (options_.on_down) options_.on_down(why);
}

void RedisSubscriber::OnTick(TimePoint now) {
  const Duration silence = now - socket_.last_received();
  if (silence >= options_.timeout) {
    return socket_.Fail(
        Concat({"silent for ", std::to_string(options_.timeout.count()), " milliseconds"}));
  }
  const Duration ping_after = PingAfter(options_.timeout);
  if (silence < ping_after || now - last_ping_ < ping_after) return;
  last_ping_ = now;
  const std::string_view ping[] = {"PING"};
  socket_.Send(ping);
}

void RedisSubscriber::Charge(int64_t bytes) {
  charged_ += bytes;
  if (bytes != 0 && options_.on_memory) options_.on_memory(bytes);
}

}  // namespace crier
