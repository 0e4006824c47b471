#include "server/cluster/redis_socket.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/base/concat.h"

namespace crier {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string_view NameOf(size_t step) {
  constexpr std::string_view kNames[] = {"AUTH", "SELECT", "CLIENT", "PING", "ROLE", ""};
  return kNames[step];
}

}  // namespace

RedisSocket::RedisSocket(boost::asio::io_context* io, RedisAddress address, Options options)
    : io_(io),
      address_(std::move(address)),
      options_(std::move(options)),
      timer_(*io),
      watch_(
          io, &address_, [this] { Fail("the sentinel names another master"); }, options_.on_memory),
      random_(std::random_device()()) {}

void RedisSocket::Start() {
  if (state_ == State::kNew) Attempt();
}

void RedisSocket::Stop() {
  state_ = State::kStopped;
  timer_.cancel();
  ++timer_round_;
  watch_.Stop();
  CloseConnection();
}

void RedisSocket::Attempt() {
  if (address_.sentinels.empty()) return ConnectTo({.host = address_.host, .port = address_.port});
  sentinels_left_ = address_.sentinels.size();
  AskSentinel();
}

std::shared_ptr<RedisConnection> RedisSocket::NewConnection() {
  // A closed connection calls nothing, and this object closes it before it goes.
  return std::make_shared<RedisConnection>(
      io_,
      RedisConnection::Handlers{.on_open = [this] { OnOpen(); },
                                .on_reply = [this](const RedisReply& reply) { OnReply(reply); },
                                .on_closed = [this](std::string_view why) { OnClosed(why); },
                                .on_memory = options_.on_memory});
}

// --- Who is the master.

void RedisSocket::AskSentinel() {
  state_ = State::kAskingSentinel;
  const HostPort& sentinel = address_.sentinels[sentinel_];
  server_ = sentinel;
  ArmTimer(kSentinelTimeout);
  CloseConnection();
  connection_ = NewConnection();
  connection_->Open(sentinel, /*tls=*/false, "");
}

void RedisSocket::OnSentinelReply(const RedisReply& reply) {
  if (std::exchange(is_sentinels_login_awaited_, false)) return;
  if (reply.is_error()) return NextSentinel(reply.text());
  const std::optional<HostPort> master = MasterIn(reply);
  if (!master) return NextSentinel(Concat({"it knows no master '", address_.master_name, "'"}));
  ConnectTo(*master);
}

void RedisSocket::NextSentinel(std::string_view why) {
  // The one that has answered stays first in the next attempt.
  sentinel_ = (sentinel_ + 1) % address_.sentinels.size();
  if (--sentinels_left_ > 0) return AskSentinel();
  Fail(why);
}

// --- Connection and login.

void RedisSocket::ConnectTo(const HostPort& server) {
  state_ = State::kLoggingIn;
  server_ = server;
  ArmTimer(kLoginTimeout);
  CloseConnection();
  connection_ = NewConnection();
  connection_->Open(server, address_.tls, address_.ca_file);
}

void RedisSocket::OnOpen() {
  if (state_ == State::kAskingSentinel) {
    is_sentinels_login_awaited_ = AskForMaster(address_, connection_.get());
    return;
  }
  const auto send = [this](Step step, std::span<const std::string_view> args) {
    connection_->Send(args);
    steps_.push_back(step);
  };
  if (!address_.password.empty()) {
    SendLogin(address_, connection_.get());
    steps_.push_back(Step::kAuth);
  }
  if (address_.database != 0) {
    const std::string number = std::to_string(address_.database);
    const std::string_view args[] = {"SELECT", number};
    send(Step::kSelect, args);
  }
  const std::string_view name[] = {"CLIENT", "SETNAME", "crier"};
  send(Step::kName, name);
  // Whether Redis answers at all: it may want a password, or be loading.
  const std::string_view ping[] = {"PING"};
  send(Step::kPing, ping);
  if (!address_.sentinels.empty()) {
    const std::string_view role[] = {"ROLE"};
    send(Step::kRole, role);
  }
  for (const std::vector<std::string>& greeting : options_.greetings) {
    const std::vector<std::string_view> args(greeting.begin(), greeting.end());
    send(Step::kGreeting, args);
  }
}

void RedisSocket::OnLoginReply(const RedisReply& reply) {
  const Step step = steps_.front();
  steps_.pop_front();
  // A name is a courtesy, and there are servers and rules that do not allow it.
  if (reply.is_error() && step != Step::kName) {
    const std::string_view name = NameOf(static_cast<size_t>(step));
    return Fail(Concat({name, name.empty() ? "" : ": ", reply.text()}));
  }
  if (step == Step::kPing && reply.text() != "PONG") return Fail("PING: this is no Redis");
  if (step == Step::kRole && reply[0].text() != "master") {
    return Fail(Concat({"it is no master yet, but a ", reply[0].text()}));
  }
  if (!steps_.empty()) return;
  state_ = State::kUp;
  up_since_ = steady_clock::now();
  last_why_.clear();
  timer_.cancel();
  ++timer_round_;
  if (!address_.sentinels.empty()) watch_.Start(sentinel_, server_);
  if (options_.on_up) options_.on_up();
}

// --- What comes from the connection.

void RedisSocket::OnReply(const RedisReply& reply) {
  switch (state_) {
    case State::kUp:
      return options_.on_reply(reply);
    case State::kLoggingIn:
      return OnLoginReply(reply);
    case State::kAskingSentinel:
      return OnSentinelReply(reply);
    case State::kNew:
    case State::kPausing:
    case State::kStopped:
      return;
  }
}

void RedisSocket::OnClosed(std::string_view why) {
  state_ == State::kAskingSentinel ? NextSentinel(why) : Fail(why);
}

void RedisSocket::CloseConnection() {
  steps_.clear();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
}

// --- Ends, and what comes after.

void RedisSocket::Fail(std::string_view why) {
  if (state_ == State::kStopped || state_ == State::kPausing || state_ == State::kNew) return;
  std::string text = Concat({address_.Text(), ": "});
  if (!address_.sentinels.empty()) {
    text.append(state_ == State::kAskingSentinel ? "sentinel " : "").append(server_.Text());
    text.append(": ");
  }
  text.append(why);
  const State was = std::exchange(state_, State::kPausing);
  const bool was_up = was == State::kUp;
  if (was_up && !address_.sentinels.empty()) {
    watch_.Stop();
    sentinel_ = watch_.sentinel();
  } else if (was == State::kLoggingIn && !address_.sentinels.empty()) {
    // Who has named a master that is none may be cut off from the others.
    sentinel_ = (sentinel_ + 1) % address_.sentinels.size();
  }
  CloseConnection();
  // Who lets us in and throws us out at once is not asked twenty times a second.
  if (was_up && steady_clock::now() - up_since_ >= kLastPause) failures_ = 0;
  ArmTimer(NextPause());
  if (!was_up && text == last_why_) return;
  last_why_ = text;
  if (options_.on_down) options_.on_down(text, was_up);
}

milliseconds RedisSocket::NextPause() {
  constexpr int kDoublings = 6;  // 50 ms to 2 s and more
  const milliseconds limit =
      std::min<milliseconds>(kLastPause, kFirstPause * (1 << std::min(failures_, kDoublings)));
  ++failures_;
  return milliseconds(std::uniform_int_distribution<int64_t>(0, limit.count())(random_));
}

void RedisSocket::ArmTimer(milliseconds wait) {
  timer_.expires_after(wait);
  timer_.async_wait([this, alive = std::weak_ptr<bool>(alive_),
                     round = ++timer_round_](boost::system::error_code) {
    if (!alive.expired() && round == timer_round_) OnTimer();
  });
}

void RedisSocket::OnTimer() {
  switch (state_) {
    case State::kPausing:
      return Attempt();
    case State::kAskingSentinel:
      return NextSentinel("no answer in time");
    case State::kLoggingIn:
      return Fail("no answer to the login in time");
    case State::kNew:
    case State::kUp:
    case State::kStopped:
      return;
  }
}

}  // namespace crier
