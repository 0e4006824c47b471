// The program that scripts/guard counts: a server and its clients in one thread, the same in every
// run. Prints one JSON object.
//
//   guard fanout CLIENTS MESSAGES          one client broadcasts to all
//   guard direct CLIENTS ROUNDS            each client sends its partner a message per round
//   guard sessions COUNT                   memory of idle sessions with their connections
//   guard engine_sessions COUNT            the engine's part of that
//
//   --grpc        gRPC instead of WebSocket: each client a connection with one stream
//   --io_uring    batched sends
//   --trace=N     where the first N allocations are made (see allocations.h)
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crier/v1/message.pb.h"
#include "tests/bench/allocations.h"
#include "tests/bench/guard_clients.h"
#include "tests/bench/guard_server.h"

namespace crier::guard {

// Plays rounds: some clients write, and every client receives one frame. Server and clients take
// turns in one run of the shard's loop, as they would side by side.
class Rounds {
 public:
  // frames[i]: what client i writes per round; empty: nothing.
  Rounds(GuardServer* server, GuardClients* clients, std::vector<std::string> frames)
      : server_(server), clients_(clients), frames_(std::move(frames)) {}

  void Run(size_t rounds) {
    left_ = rounds;
    StartRound();
    while (left_ > 0) server_->shard().Poll();
  }
  uint64_t deliveries() const { return deliveries_; }

  // Under callgrind the name by which the clients' instructions are left out. Not inlined for that.
  [[gnu::noinline]] void ClientsTurn();

 private:
  // Far more than any round takes.
  static constexpr int kMostTurns = 1000;

  void StartRound();
  void PostTurn() {
    server_->shard().Post([this] { ClientsTurn(); });
  }

  GuardServer* const server_;
  GuardClients* const clients_;
  const std::vector<std::string> frames_;
  size_t left_ = 0;
  size_t reading_ = 0;  // the first client that has received nothing in this round
  int turns_ = 0;
  uint64_t deliveries_ = 0;
};

void Rounds::StartRound() {
  server_->clock().Advance(std::chrono::milliseconds(1));
  for (size_t i = 0; i < frames_.size(); ++i) {
    if (!frames_[i].empty()) clients_->Write(i, frames_[i]);
  }
  reading_ = 0;
  turns_ = 0;
  PostTurn();
}

void Rounds::ClientsTurn() {
  for (; reading_ < clients_->count(); ++reading_) {
    const size_t frames = clients_->ReadFrames(reading_);
    if (frames == 0) break;
    if (frames != 1) Fail("a client received several frames in a round; it has to be one");
    ++deliveries_;
  }
  if (reading_ < clients_->count()) {
    if (++turns_ == kMostTurns) Fail("a client received nothing in a round");
    PostTurn();
  } else if (--left_ > 0) {
    StartRound();
  }
}

namespace {

struct Arguments {
  std::string_view kind;
  std::vector<size_t> numbers;
  Protocol protocol = Protocol::kWebSocket;
  bool io_uring = false;
  int trace = 0;
};

[[noreturn]] void FailUsage() {
  Fail(
      "usage: guard fanout|direct CLIENTS MESSAGES [--grpc] [--io_uring] [--trace=N], or\n"
      "       guard sessions|engine_sessions COUNT [--grpc]; numbers from 1");
}

Arguments Read(int argc, char** argv) {
  Arguments arguments;
  const auto number = [](std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1) FailUsage();
    return value;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    if (text == "--grpc") {
      arguments.protocol = Protocol::kGrpc;
    } else if (text == "--io_uring") {
      arguments.io_uring = true;
    } else if (text.starts_with("--trace=")) {
      arguments.trace = number(text.substr(text.find('=') + 1));
    } else if (arguments.kind.empty()) {
      arguments.kind = text;
    } else {
      arguments.numbers.push_back(static_cast<size_t>(number(text)));
    }
  }
  return arguments;
}

std::string User(size_t client) { return "user" + std::to_string(client); }

// What a client writes to send a message; `to`: empty: to everyone.
std::string Message(Protocol protocol, const std::string& to) {
  constexpr std::string_view kBody = "the length of a short chat message";
  if (protocol == Protocol::kGrpc) {
    v1::ClientFrame frame;
    v1::Message& message = *frame.mutable_publish();
    message.set_action_type(to.empty() ? v1::BROADCAST : v1::DIRECT);
    message.set_to(to);
    message.set_body(std::string(kBody));
    return GrpcFrame(frame.SerializeAsString());
  }
  std::string text = R"({"action_type":")" + std::string(to.empty() ? "broadcast" : "direct") +
                     R"(","body":")" + std::string(kBody) + '"';
  if (!to.empty()) text += R"(,"to":")" + to + '"';
  return ClientFrame(text + "}");
}

// `frames`: as for Rounds.
void CountMessages(const Arguments& arguments, GuardServer* server, GuardClients* clients,
                   std::vector<std::string> frames) {
  constexpr size_t kWarmUp = 20;
  Rounds(server, clients, frames).Run(kWarmUp);

  Rounds counted(server, clients, std::move(frames));
  const size_t rounds = arguments.numbers[1];
  const uint64_t readings = server->clock().readings();
  TraceAllocations(arguments.trace);
  CountAllocations(true);
  counted.Run(rounds);
  CountAllocations(false);
  std::printf(R"({"rounds":%zu,"deliveries":%llu,"allocations":%llu,"clock_readings":%llu,)"
              R"("client_reads":%llu,"client_writes":%llu})"
              "\n",
              rounds, static_cast<unsigned long long>(counted.deliveries()),
              static_cast<unsigned long long>(allocations()),
              static_cast<unsigned long long>(server->clock().readings() - readings),
              static_cast<unsigned long long>(clients->reads()),
              static_cast<unsigned long long>(clients->writes()));
}

void Fanout(const Arguments& arguments) {
  const size_t count = arguments.numbers[0];
  GuardServer server(arguments.protocol, arguments.io_uring);
  GuardClients clients(arguments.protocol, count);
  server.Connect(&clients, User(0));
  std::vector<std::string> frames = {Message(arguments.protocol, "")};
  // Until the topic's log is as long as it gets.
  Rounds(&server, &clients, frames).Run(3 * server.engine().options().topic_log.events);
  while (clients.count() < count) server.Connect(&clients, User(clients.count()));
  server.Settle();
  CountMessages(arguments, &server, &clients, std::move(frames));
}

void Direct(const Arguments& arguments) {
  const size_t count = arguments.numbers[0];
  if (count % 2 != 0) Fail("direct needs pairs: CLIENTS has to be even");
  GuardServer server(arguments.protocol, arguments.io_uring);
  GuardClients clients(arguments.protocol, count);
  std::vector<std::string> frames;
  for (size_t i = 0; i < count; ++i) {
    server.Connect(&clients, User(i));
    frames.push_back(Message(arguments.protocol, User(i ^ 1)));
  }
  server.Settle();
  CountMessages(arguments, &server, &clients, std::move(frames));
}

// The heap bytes of each further session, measured by the heap's growth. `add` makes one.
template <class Add>
void MeasureSessions(GuardServer* server, size_t count, Add add) {
  // What the first ones bring along is not theirs.
  const size_t before = count / 4;
  for (size_t i = 0; i < before; ++i) add(i);
  server->Settle();
  const uint64_t bytes = heap_bytes();
  for (size_t i = before; i < before + count; ++i) add(i);
  server->Settle();
  std::printf(R"({"sessions":%zu,"bytes":%llu})"
              "\n",
              count, static_cast<unsigned long long>(heap_bytes() - bytes));
}

void Sessions(const Arguments& arguments) {
  const size_t count = arguments.numbers[0];
  GuardServer server(arguments.protocol, arguments.io_uring);
  GuardClients clients(arguments.protocol, 2 * count);
  MeasureSessions(&server, count, [&](size_t) { server.Connect(&clients, ""); });
}

class NoTransport final : public Transport {
 public:
  void Wake() override {}
  void Close(Outcome, std::string_view) override {}
  void PauseReading() override {}
  void ResumeReading() override {}
};

void EngineSessions(const Arguments& arguments) {
  GuardServer server(arguments.protocol, /*io_uring=*/false);
  NoTransport transport;
  MeasureSessions(&server, arguments.numbers[0], [&](size_t) {
    SessionOptions options;
    options.encoding = &CanonicalEncoding();
    options.transport = &transport;
    server.shard().OpenSession(std::move(options));
  });
}

int Main(int argc, char** argv) {
  const Arguments arguments = Read(argc, argv);
  const bool of_messages = arguments.kind == "fanout" || arguments.kind == "direct";
  if (arguments.numbers.size() != (of_messages ? 2u : 1u)) FailUsage();
  if (arguments.kind == "fanout") {
    Fanout(arguments);
  } else if (arguments.kind == "direct") {
    Direct(arguments);
  } else if (arguments.kind == "sessions") {
    Sessions(arguments);
  } else if (arguments.kind == "engine_sessions") {
    EngineSessions(arguments);
  } else {
    FailUsage();
  }
  return 0;
}

}  // namespace
}  // namespace crier::guard

int main(int argc, char** argv) { return crier::guard::Main(argc, argv); }
