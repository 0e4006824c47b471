#include "server/cluster/redis_sentinel.h"

#include <charconv>
#include <chrono>
#include <string>
#include <utility>

namespace crier {

void SendLogin(const RedisAddress& address, RedisConnection* connection) {
  const std::string_view args[] = {"AUTH", address.user, address.password};
  const std::string_view without_user[] = {"AUTH", address.password};
  address.user.empty() ? connection->Send(without_user) : connection->Send(args);
}

bool AskForMaster(const RedisAddress& address, RedisConnection* connection) {
  const bool has_login = !address.password.empty();
  if (has_login) SendLogin(address, connection);
  const std::string_view args[] = {"SENTINEL", "get-master-addr-by-name", address.master_name};
  connection->Send(args);
  return has_login;
}

std::optional<HostPort> MasterIn(const RedisReply& reply) {
  HostPort master{.host = std::string(reply[0].text())};
  const std::string_view port = reply[1].text();
  std::from_chars(port.data(), port.data() + port.size(), master.port);
  if (master.host.empty() || master.port == 0) return std::nullopt;
  return master;
}

RedisSentinelWatch::RedisSentinelWatch(boost::asio::io_context* io, const RedisAddress* address,
                                       std::function<void()> on_change,
                                       std::function<void(int64_t)> on_memory)
    : io_(io),
      address_(address),
      on_change_(std::move(on_change)),
      on_memory_(std::move(on_memory)),
      ticker_(io, std::chrono::seconds(1), [this](TimePoint) { OnTick(); }) {}

void RedisSentinelWatch::Start(size_t sentinel, HostPort master) {
  sentinel_ = sentinel;
  master_ = std::move(master);
  ticker_.Start();
}

void RedisSentinelWatch::Stop() {
  ticker_.Stop();
  Close();
}

void RedisSentinelWatch::OnTick() {
  if (is_answer_awaited_) {
    // A second without an answer.
    Close();
    sentinel_ = (sentinel_ + 1) % address_->sentinels.size();
  }
  if (connection_ == nullptr) return Open();
  is_answer_awaited_ = true;
  is_login_awaited_ = AskForMaster(*address_, connection_.get());
}

void RedisSentinelWatch::Open() {
  is_answer_awaited_ = true;
  connection_ = std::make_shared<RedisConnection>(
      io_,
      RedisConnection::Handlers{
          .on_open = [this] { is_login_awaited_ = AskForMaster(*address_, connection_.get()); },
          .on_reply = [this](const RedisReply& reply) { OnReply(reply); },
          // The next tick finds it unanswered, and asks the next one.
          .on_closed = [this](std::string_view) { is_answer_awaited_ = true; },
          .on_memory = on_memory_});
  connection_->Open(address_->sentinels[sentinel_], /*tls=*/false, "");
}

void RedisSentinelWatch::OnReply(const RedisReply& reply) {
  if (std::exchange(is_login_awaited_, false)) return;
  const std::optional<HostPort> named = MasterIn(reply);
  // Errors and ignorance are left to stand as no answer: the connection to the master is well.
  if (!named) return;
  is_answer_awaited_ = false;
  if (*named == master_) return;
  Stop();
  on_change_();
}

void RedisSentinelWatch::Close() {
  is_answer_awaited_ = false;
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
}

}  // namespace crier
