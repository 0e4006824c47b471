#include "server/cluster/redis_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/base/concat.h"

namespace crier {
namespace {

using std::chrono::steady_clock;

constexpr size_t kPartOverhead = 16;  // "$123456\r\n" and "\r\n", about

size_t SizeOf(std::span<const std::string_view> args) {
  size_t size = 0;
  for (std::string_view argument : args) size += argument.size() + kPartOverhead;
  return size;
}

std::vector<std::vector<std::string>> LoadCommands(const std::vector<const RedisScript*>& scripts) {
  std::vector<std::vector<std::string>> commands;
  for (const RedisScript* script : scripts) {
    commands.push_back({"SCRIPT", "LOAD", script->source()});
  }
  return commands;
}

// Redis up to version 6 puts a script's error into another one.
bool IsReadOnly(const RedisReply& reply) {
  return reply.is_error() && (reply.text().starts_with("READONLY") ||
                              reply.text().find("-READONLY ") != std::string_view::npos);
}

}  // namespace

RedisClient::RedisClient(boost::asio::io_context* io, RedisAddress address, Options options)
    : options_(std::move(options)),
      socket_(io, std::move(address),
              {.greetings = LoadCommands(options_.scripts),
               .on_up = [this] { OnUp(); },
               .on_reply = [this](const RedisReply& reply) { OnReply(reply); },
               .on_down = [this](std::string_view why, bool was_up) { OnDown(why, was_up); },
               .on_memory = options_.on_memory}),
      ticker_(io, TickInterval(options_.timeout), [this](TimePoint now) { OnTick(now); }) {}

RedisClient::~RedisClient() { Stop(); }

void RedisClient::Start() { socket_.Start(); }

void RedisClient::Stop() {
  socket_.Stop();
  ticker_.Stop();
  LoseAll("the client is stopped");
}

// --- Calls.

void RedisClient::Call(std::span<const std::string_view> args, Done done) {
  const size_t bytes = SizeOf(args);
  if (!Admit(bytes, &done)) return;
  Pending call{.done = std::move(done), .bytes = bytes};
  if (repeated_.empty()) {
    // Into the buffer at once, without a copy to keep.
    AppendCommand(args, socket_.out());
  } else {
    AppendCommand(args, &call.text);
  }
  Submit(std::move(call));
}

void RedisClient::Run(const RedisScript& script, std::span<const std::string_view> keys,
                      std::span<const std::string_view> args, Done done) {
  const size_t bytes = SizeOf(keys) + SizeOf(args) + 4 * kPartOverhead + script.digest().size();
  if (!Admit(bytes, &done)) return;
  Pending call{.done = std::move(done),
               .bytes = bytes,
               .script = &script,
               .parts = 3 + keys.size() + args.size()};
  call.text.reserve(bytes);
  AppendArgument(std::to_string(keys.size()), &call.text);
  for (std::string_view key : keys) AppendArgument(key, &call.text);
  for (std::string_view argument : args) AppendArgument(argument, &call.text);
  Submit(std::move(call));
}

bool RedisClient::Admit(size_t bytes, Done* done) {
  std::string_view why;
  if (!up()) {
    why = "there is no connection to Redis";
  } else if (outstanding_bytes_ + bytes > options_.most_unsent) {
    why = "too much waits for Redis's answers";
  } else {
    return true;
  }
  if (*done) (*done)(RedisReply::Lost(why));
  return false;
}

void RedisClient::Submit(Pending call) {
  ++outstanding_;
  outstanding_bytes_ += call.bytes;
  call.charged = static_cast<int64_t>(sizeof call + call.text.capacity());
  Charge(call.charged);
  if (repeated_.empty()) {
    Write(std::move(call));
  } else {
    waiting_.push_back(std::move(call));
  }
}

void RedisClient::Write(Pending call) {
  std::string* const out = socket_.out();
  if (call.script != nullptr) {
    // Twice NOSCRIPT: something between us and Redis does not keep scripts. The source always
    // works.
    const bool by_source = call.refusals > 1;
    AppendCommandHead(call.parts, out);
    AppendArgument(by_source ? "EVAL" : "EVALSHA", out);
    AppendArgument(by_source ? call.script->source() : call.script->digest(), out);
  }
  out->append(call.text);
  call.sent = steady_clock::now();
  pending_.push_back(std::move(call));
  socket_.Flush();
}

void RedisClient::SendOurs(std::span<const std::string_view> args) {
  AppendCommand(args, socket_.out());
  Write(Pending{});
}

void RedisClient::WriteRepeated() {
  std::deque<Pending> repeated;
  std::deque<Pending> waiting;
  std::swap(repeated, repeated_);
  std::swap(waiting, waiting_);
  std::vector<const RedisScript*> loaded;
  for (const Pending& call : repeated) {
    if (std::find(loaded.begin(), loaded.end(), call.script) != loaded.end()) continue;
    loaded.push_back(call.script);
    const std::string_view args[] = {"SCRIPT", "LOAD", call.script->source()};
    SendOurs(args);
  }
  for (std::deque<Pending>* calls : {&repeated, &waiting}) {
    for (Pending& call : *calls) Write(std::move(call));
  }
}

// --- What comes from the connection.

void RedisClient::OnUp() {
  ticker_.Start();
  if (options_.on_up) options_.on_up();
}

void RedisClient::OnReply(const RedisReply& reply) {
  if (pending_.empty()) return socket_.Fail("an answer to nothing that was asked");
  // Its calls are lost, this one among them.
  if (IsReadOnly(reply)) return socket_.Fail(reply.text());
  Pending call = std::move(pending_.front());
  pending_.pop_front();
  if (call.script != nullptr && reply.is_error() && reply.text().starts_with("NOSCRIPT")) {
    ++call.refusals;
    repeated_.push_back(std::move(call));
  } else {
    Finish(std::move(call), reply);
  }
  if (up() && pending_.empty() && !repeated_.empty()) WriteRepeated();
}

void RedisClient::OnDown(std::string_view why, bool was_up) {
  ticker_.Stop();
  if (was_up) LoseAll(why);
  if (!socket_.stopped() && options_.on_down) options_.on_down(why);
}

void RedisClient::OnTick(TimePoint now) {
  if (pending_.empty()) {
    if (now - socket_.last_received() < PingAfter(options_.timeout)) return;
    const std::string_view ping[] = {"PING"};
    return SendOurs(ping);
  }
  if (now - pending_.front().sent < options_.timeout) return;
  socket_.Fail(
      Concat({"no answer in ", std::to_string(options_.timeout.count()), " milliseconds"}));
}

// REQUIRES: not up. Stop may be called from inside, and then goes on where this is.
void RedisClient::LoseAll(std::string_view why) {
  for (std::deque<Pending>* calls : {&repeated_, &pending_, &waiting_}) {
    while (!calls->empty()) {
      Pending call = std::move(calls->front());
      calls->pop_front();
      Finish(std::move(call), RedisReply::Lost(why));
    }
  }
}

void RedisClient::Finish(Pending call, const RedisReply& reply) {
  if (call.bytes == 0) return;
  --outstanding_;
  outstanding_bytes_ -= call.bytes;
  Charge(-call.charged);
  if (call.done) call.done(reply);
}

void RedisClient::Charge(int64_t bytes) {
  if (options_.on_memory) options_.on_memory(bytes);
}

}  // namespace crier
