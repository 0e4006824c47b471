// Many WebSocket clients on several servers that follow one topic, and one that publishes to it.
//
// `crier bench` has one server, and speaks to crier only. This has any number of them, and speaks
// either crier's plain dialect or Centrifugo's JSON protocol, so that both get the same load.
// scripts/lib/bench_swarm.py builds it, with nothing but a compiler.
//
//   swarm --servers HOST:PORT,... [--clients N] [--source N] [--centrifugo] [--topic TOPIC]
//         [--publish-to HOST:PORT --rate R --seconds S] [--payload BYTES] [--ids] [--topics N]
//         [--pids PID,...]
//
// Clients are spread over the servers in turn, and come from 127.1.0.0 + SOURCE. With --publish-to
// it measures and prints one JSON object. Without, it prints "open N" once all are open, and
// "reached N LOST NANOSECONDS" when each has got another event, until its standard input
// ends.
//
// A body is "@NANOSECONDS.NUMBER@" and padding; the time is when the message was due.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/swarm_parts.h"

namespace {

using namespace crier::swarm;

constexpr uint32_t kMostOpening = 200;  // connections at once, so that no queue of accepts is full
constexpr int64_t kBucket = 10'000;     // nanoseconds
constexpr size_t kBuckets = 1'000'000;
constexpr int64_t kPatience = 30 * kSecond;

struct Client {
  int fd = -1;
  bool open = false;
  bool publisher = false;
  uint32_t next = 0;  // number of the event that comes next; 0: none has come
  std::unique_ptr<std::string> rest;
};

class Swarm {
 public:
  explicit Swarm(const Options& options)
      : options_(options),
        centrifugo_(options.Has("centrifugo")),
        topic_(options.Text("topic")),
        topics_(static_cast<uint32_t>(options.Number("topics", 0))),
        servers_(Split(options.Text("servers"))),
        clients_(static_cast<size_t>(options.Number("clients", 1))),
        buffer_(256 * 1024),
        epoll_(epoll_create1(0)) {}

  void OpenAll() {
    std::vector<sockaddr_in> addresses;
    for (const std::string& server : servers_) addresses.push_back(Address(server));
    if (addresses.empty()) Die("--servers is missing");
    const size_t followers = clients_.size();
    if (options_.Has("publish-to")) {
      clients_.emplace_back().publisher = true;
      followers_ = followers;
    }
    for (size_t i = 0; i < clients_.size(); ++i) {
      Open(i, clients_[i].publisher ? Address(options_.Text("publish-to"))
                                    : addresses[i % addresses.size()]);
      while (opened_ - open_ >= kMostOpening) Poll(Now() + kSecond);
    }
    const int64_t end = Now() + kPatience;
    while (open_ < clients_.size()) {
      if (Now() > end) Die(std::to_string(clients_.size() - open_) + " clients did not open");
      Poll(Now() + kSecond / 10);
    }
  }

  // Until standard input ends.
  void Hold() {
    followers_ = clients_.size();
    std::printf("open %zu\n", clients_.size());
    std::fflush(stdout);
    epoll_event event = {.events = EPOLLIN, .data = {.u64 = kInput}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    uint64_t told = 0;
    while (!ended_) {
      Poll(Now() + kSecond);
      if (received_ / followers_ > told) {
        told = received_ / followers_;
        std::printf("reached %llu %llu %lld\n", static_cast<unsigned long long>(followers_),
                    static_cast<unsigned long long>(misordered_), static_cast<long long>(Now()));
        std::fflush(stdout);
      }
    }
  }

  void Measure() {
    Settle();
    const double rate = options_.Number("rate", 100);
    const double seconds = options_.Number("seconds", 5);
    const std::vector<std::string> pids = Split(options_.Text("pids"));
    std::vector<double> before;
    for (const std::string& pid : pids) before.push_back(CpuOf(pid));
    const std::string self = std::to_string(getpid());
    const double self_before = CpuOf(self);
    buckets_.assign(kBuckets, 0);
    received_ = acks_ = 0;
    const int64_t begin = Now();
    const auto count = static_cast<uint32_t>(rate * seconds);
    uint32_t sent = 0;
    while (sent < count) {
      const auto due = [&] { return begin + static_cast<int64_t>(1e9 * sent / rate); };
      for (int burst = 0; sent < count && due() <= Now() && burst < 64; ++burst) {
        const int64_t at = due();
        Publish(at, ++sent);
      }
      FlushPublisher();
      Poll(sent < count ? due() : Now());
    }
    const int64_t end = Now() + kPatience;
    while ((received_ < followers_ * uint64_t{count} || acks_ < AcksOf(count)) && Now() < end) {
      Poll(Now() + kSecond / 100);
      FlushPublisher();
    }
    const double took = static_cast<double>(Now() - begin) / 1e9;
    std::printf(
        "{\"seconds\": %.3f, \"sent\": %u, \"received\": %llu, \"expected\": %llu, "
        "\"acks\": %llu, \"misordered\": %llu, \"self_cpu\": %.3f, "
        "\"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f, \"cpu\": [",
        took, sent, static_cast<unsigned long long>(received_),
        static_cast<unsigned long long>(followers_ * uint64_t{count}),
        static_cast<unsigned long long>(acks_), static_cast<unsigned long long>(misordered_),
        CpuOf(self) - self_before, Percentile(0.5), Percentile(0.99),
        static_cast<double>(most_) / 1e6);
    for (size_t i = 0; i < pids.size(); ++i) {
      std::printf("%s%.3f", i == 0 ? "" : ", ", CpuOf(pids[i]) - before[i]);
    }
    std::printf("]}\n");
  }

 private:
  static constexpr uint64_t kInput = UINT64_MAX;

  void Open(size_t index, const sockaddr_in& address) {
    Client& client = clients_[index];
    client.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (client.fd < 0) Die(std::string("socket: ") + std::strerror(errno));
    const int on = 1;
    setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(client.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    sockaddr_in from = {};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(0x7f010001 + static_cast<uint32_t>(options_.Number("source", 0)) +
                                 static_cast<uint32_t>(index / 20'000));
    if (bind(client.fd, reinterpret_cast<sockaddr*>(&from), sizeof(from)) != 0 ||
        connect(client.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      Die(std::string("connect: ") + std::strerror(errno));
    }
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    ++opened_;
    Write(&client,
          std::string("GET ") + (centrifugo_ ? "/connection/websocket" : "/ws") +
              " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
              "Sec-WebSocket-Version: 13\r\n\r\n");
    epoll_event event = {.events = EPOLLIN, .data = {.u64 = index}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event);
  }

  // Upgraded.
  void Begin(Client* client) {
    client->open = true;
    ++open_;
    if (centrifugo_) Text(client, R"({"id":1,"connect":{}})");
    if (client->publisher) {
      publisher_ = client;
    } else if (centrifugo_) {
      Text(client, R"({"id":2,"subscribe":{"channel":")" + topic_ + "\"}}");
    } else if (!topic_.empty()) {
      Text(client, R"({"action_type":"subscribe","topic":")" + topic_ + "\"}");
    }
  }

  void Poll(int64_t until) {
    epoll_event events[512];
    const int64_t wait = std::max<int64_t>(until - Now(), 0);
    const timespec timeout = {.tv_sec = wait / kSecond, .tv_nsec = wait % kSecond};
    const int count = epoll_pwait2(epoll_, events, 512, &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kInput) {
        char byte;
        ended_ = read(STDIN_FILENO, &byte, 1) <= 0;
      } else {
        Read(&clients_[events[i].data.u64]);
      }
    }
  }

  void Read(Client* client) {
    size_t kept = 0;
    if (client->rest != nullptr) {
      kept = client->rest->size();
      std::memcpy(buffer_.data(), client->rest->data(), kept);
      client->rest.reset();
    }
    const ssize_t got = recv(client->fd, buffer_.data() + kept, buffer_.size() - kept, 0);
    if (got == 0) Die("a server ended a connection");
    if (got < 0 && errno != EAGAIN) Die(std::string("recv: ") + std::strerror(errno));
    std::string_view data(buffer_.data(), kept + std::max<ssize_t>(got, 0));
    if (!client->open) {
      const size_t head = data.find("\r\n\r\n");
      if (head == std::string_view::npos) return Keep(client, data);
      if (!data.starts_with("HTTP/1.1 101")) Die("refused: " + std::string(data.substr(0, head)));
      data.remove_prefix(head + 4);
      Begin(client);
    }
    while (data.size() >= 2) {
      size_t head = 2;
      size_t size = data[1] & 127;
      if (size == 126) {
        head = 4;
        if (data.size() < head) break;
        size = static_cast<uint8_t>(data[2]) << 8 | static_cast<uint8_t>(data[3]);
      } else if (size == 127) {
        Die("a frame of over 64 KiB");
      }
      if (data.size() < head + size) break;
      Frame(client, data[0] & 15, data.substr(head, size));
      data.remove_prefix(head + size);
    }
    if (!data.empty()) Keep(client, data);
  }

  static void Keep(Client* client, std::string_view data) {
    client->rest = std::make_unique<std::string>(data);
  }

  void Frame(Client* client, int opcode, std::string_view payload) {
    if (opcode == 8) Die("closed by the server: " + std::string(payload));
    if (opcode == 9) return Write(client, ClientFrame(10, payload));
    if (centrifugo_ && payload == "{}") return Text(client, "{}");
    if (client->publisher) return CountAcks(payload);
    if (payload.find("\"error\"") != std::string_view::npos) Die(std::string(payload));
    for (size_t at = payload.find('@'); at != std::string_view::npos; at = payload.find('@', at)) {
      char* end = nullptr;
      const int64_t due = std::strtoll(payload.data() + at + 1, &end, 10);
      const auto number = static_cast<uint32_t>(std::strtoul(end + 1, &end, 10));
      at = static_cast<size_t>(end - payload.data()) + 1;
      Event(client, due, number);
    }
  }

  void Event(Client* client, int64_t due, uint32_t number) {
    if (client->next == 0) ++settled_;
    if (number == 0) {
      client->next = 1;
      return;
    }
    if (client->next != 0 && client->next != number) ++misordered_;
    client->next = number + 1;
    ++received_;
    if (buckets_.empty()) return;
    const int64_t late = Now() - due;
    most_ = std::max(most_, late);
    ++buckets_[std::min<size_t>(static_cast<size_t>(late / kBucket), kBuckets - 1)];
  }

  // Each message may have several, where Centrifugo puts them together.
  void CountAcks(std::string_view payload) {
    const std::string_view mark = centrifugo_ ? "\"publish\":{" : "\"action_type\":\"ack\"";
    if (payload.find("\"error\"") != std::string_view::npos) Die(std::string(payload));
    for (size_t at = payload.find(mark); at != std::string_view::npos;
         at = payload.find(mark, at + 1)) {
      ++acks_;
    }
  }
  uint64_t AcksOf(uint32_t sent) const { return centrifugo_ || options_.Has("ids") ? sent : 0; }

  // Everyone has to have seen an event before anything counts.
  void Settle() {
    const int64_t end = Now() + kPatience;
    for (int64_t pause = kSecond / 5; settled_ < followers_; pause *= 2) {
      if (Now() > end) Die(std::to_string(followers_ - settled_) + " clients get no events");
      Publish(Now(), 0);
      FlushPublisher();
      for (const int64_t until = Now() + pause; settled_ < followers_ && Now() < until;) {
        Poll(until);
      }
    }
    for (const int64_t until = Now() + kSecond / 2; Now() < until;) Poll(until);
  }

  void Publish(int64_t due, uint32_t number) {
    const std::string stamp = "@" + std::to_string(due) + "." + std::to_string(number) + "@";
    std::string body = stamp;
    const auto payload = static_cast<size_t>(options_.Number("payload", 64));
    if (body.size() < payload) body.append(payload - body.size(), '-');
    if (centrifugo_) {
      unsent_ +=
          ClientFrame(1, "{\"id\":" + std::to_string(++calls_ + 2) + R"(,"publish":{"channel":")" +
                             topic_ + R"(","data":")" + body + "\"}}");
      return;
    }
    const std::string topic =
        topics_ == 0 ? topic_ : topic_ + '-' + std::to_string(number % topics_);
    std::string text =
        R"({"user_id":"p","action_type":"broadcast","body":")" + body + R"(","data":null)";
    if (!topic.empty()) text += R"(,"topic":")" + topic + '"';
    if (options_.Has("ids")) text += R"(,"id":")" + std::to_string(++calls_) + '"';
    unsent_ += ClientFrame(1, text + "}");
  }

  void FlushPublisher() {
    if (unsent_.empty()) return;
    const ssize_t sent = send(publisher_->fd, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent > 0) unsent_.erase(0, static_cast<size_t>(sent));
  }

  void Text(Client* client, std::string_view text) { Write(client, ClientFrame(1, text)); }
  static void Write(Client* client, std::string_view bytes) {
    if (send(client->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
      Die(std::string("send: ") + std::strerror(errno));
    }
  }

  double Percentile(double part) const {
    uint64_t before = 0;
    const auto limit = static_cast<uint64_t>(part * static_cast<double>(received_));
    for (size_t i = 0; i < buckets_.size(); ++i) {
      before += buckets_[i];
      if (before > limit) return static_cast<double>((i + 1) * kBucket) / 1e6;
    }
    return 0;
  }

  const Options& options_;
  const bool centrifugo_;
  const std::string topic_;
  const uint32_t topics_;  // to publish to, by number; 0: one, without a number
  const std::vector<std::string> servers_;
  std::vector<Client> clients_;
  std::vector<char> buffer_;
  const int epoll_;
  Client* publisher_ = nullptr;
  uint64_t followers_ = 0;
  uint64_t opened_ = 0;
  uint64_t open_ = 0;
  uint64_t settled_ = 0;  // clients that have got an event
  uint64_t received_ = 0;
  uint64_t misordered_ = 0;  // lost, again, or before another
  uint64_t acks_ = 0;
  uint64_t calls_ = 0;
  bool ended_ = false;
  int64_t most_ = 0;
  std::string unsent_;
  std::vector<uint64_t> buckets_;
};

}  // namespace

int main(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (!name.starts_with("--")) Die("no flag: " + name);
    const bool has_value = i + 1 < count && std::string_view(arguments[i + 1]).substr(0, 2) != "--";
    options.values[name.substr(2)] = has_value ? arguments[++i] : "";
  }
  Swarm swarm(options);
  swarm.OpenAll();
  if (options.Has("publish-to")) {
    swarm.Measure();
  } else {
    swarm.Hold();
  }
}
