#include "tests/support/redis_server.h"

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>
#include <utility>

#include "server/net/unique_fd.h"

namespace crier::testing {
namespace {

constexpr char kProgram[] = "/usr/bin/redis-server";
constexpr int kStarts = 5;

struct ContextDeleter {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct ReplyDeleter {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, ReplyDeleter>;

Reply Ask(redisContext* context, const std::vector<std::string>& args) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string& argument : args) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  return Reply(static_cast<redisReply*>(
      redisCommandArgv(context, static_cast<int>(args.size()), texts.data(), sizes.data())));
}

std::string TextOf(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_ARRAY: {
      std::string lines;
      for (size_t i = 0; i < reply.elements; ++i) lines += TextOf(*reply.element[i]) + "\n";
      return lines;
    }
    case REDIS_REPLY_NIL:
      return "";
    default:
      return {reply.str, reply.len};
  }
}

}  // namespace

uint16_t FreePort() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, length) != 0 || ::getsockname(fd.get(), generic, &length) != 0) {
    ADD_FAILURE() << "no free port";
  }
  return ntohs(address.sin_port);
}

bool RunUntil(boost::asio::io_context& io, const std::function<bool()>& condition,
              std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    // A loop without work stops.
    io.restart();
    io.run_one_for(std::chrono::milliseconds(50));
  }
  return true;
}

RedisServer::RedisServer(Options options) : options_(std::move(options)) {
  for (int i = 0; i < kStarts; ++i) {
    port_ = FreePort();
    if (Start()) return;
  }
  ADD_FAILURE() << "redis-server does not start; it says: " << process_->out() << process_->err();
}

RedisServer::~RedisServer() = default;

// False: it has ended, or somebody else answers on the port.
bool RedisServer::Start() {
  const std::string config = folder_.Write("redis.conf", options_.config);
  // setpriv: the kernel ends it when the test ends, however that ends.
  ChildProcess::Options child;
  child.arguments = {"--pdeathsig", "KILL", kProgram, config};
  if (options_.is_sentinel) child.arguments.push_back("--sentinel");
  const std::string folder = std::filesystem::path(config).parent_path();
  for (const std::string& argument :
       {std::string("--port"), std::to_string(port_), std::string("--bind"),
        std::string("127.0.0.1"), std::string("--daemonize"), std::string("no"),
        std::string("--dir"), folder}) {
    child.arguments.push_back(argument);
  }
  if (!options_.is_sentinel) {
    for (const char* argument : {"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay",
                                 "0", "--enable-debug-command", "local"}) {
      child.arguments.emplace_back(argument);
    }
  }
  if (!options_.password.empty()) {
    child.arguments.insert(child.arguments.end(), {"--requirepass", options_.password});
  }
  child.arguments.insert(child.arguments.end(), options_.arguments.begin(),
                         options_.arguments.end());
  process_ = std::make_unique<ChildProcess>("/usr/bin/setpriv", child);
  const std::string ours = "process_id:" + std::to_string(process_->pid()) + "\r\n";
  return process_->WaitUntil([&] {
    return Command({"INFO", "server"}).find(ours) != std::string::npos;
  });
}

std::string RedisServer::url() const {
  const std::string login = options_.password.empty() ? "" : ":" + options_.password + "@";
  return "redis://" + login + "127.0.0.1:" + std::to_string(port_);
}

void RedisServer::Kill() {
  process_->Signal(SIGKILL);
  EXPECT_TRUE(process_->WaitForExit().has_value());
}

void RedisServer::Restart() {
  for (int i = 0; i < kStarts; ++i) {
    if (Start()) return;
  }
  ADD_FAILURE() << "redis-server does not start again; it says: " << process_->out();
}

void RedisServer::Pause() { process_->Signal(SIGSTOP); }
void RedisServer::Continue() { process_->Signal(SIGCONT); }

std::string RedisServer::Command(const std::vector<std::string>& args) const {
  constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
  const std::unique_ptr<redisContext, ContextDeleter> context(
      redisConnectWithTimeout("127.0.0.1", port_, kPatience));
  if (context == nullptr || context->err != 0) return "LOST";
  redisSetTimeout(context.get(), kPatience);
  if (!options_.password.empty()) Ask(context.get(), {"AUTH", options_.password});
  const Reply reply = Ask(context.get(), args);
  return reply == nullptr ? "LOST" : TextOf(*reply);
}

bool RedisServer::WaitFor(const std::vector<std::string>& args, const std::string& part,
                          std::chrono::milliseconds patience) {
  return process_->WaitUntil([&] { return Command(args).find(part) != std::string::npos; },
                             patience);
}

}  // namespace crier::testing
