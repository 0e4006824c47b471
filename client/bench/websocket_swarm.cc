#include "client/bench/websocket_swarm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <random>
#include <utility>

#include "client/bench/bench_clock.h"
#include "client/plain_dialect.h"
#include "client/text.h"

namespace crier::bench {
namespace {

using client::FrameHeader;
using client::HeaderResult;
using client::Opcode;

constexpr size_t kBufferSize = 256 * 1024;
constexpr size_t kMaxFrame = 16 * 1024 * 1024;
constexpr size_t kMaxUpgradeAnswer = 16 * 1024;
// There are about 28,000 ports, and each can be used only once towards one address. After this many
// connections, the next loopback address is the source.
constexpr uint64_t kPortsPerSource = 20'000;

uint64_t EventData(uint32_t slot, uint32_t generation) {
  return static_cast<uint64_t>(generation) << 32 | slot;
}

// A handshake's key may be the same for all: it protects caches, not clients.
const std::string& SharedKey() {
  static const std::string* const kKey = new std::string(client::NewKey());
  return *kKey;
}

}  // namespace

WebSocketSwarm::WebSocketSwarm(const SwarmOptions& options, const client::WebSocketUrl& url,
                               const client::SocketAddress& address, client::SslContextPtr tls,
                               SwarmHandler* handler)
    : handler_(handler),
      address_(address),
      request_(client::UpgradeRequest(url.host_header, url.path, SharedKey(), "", options.token)),
      accept_(client::AcceptKey(SharedKey())),
      host_(url.host),
      tls_(std::move(tls)),
      mask_(std::random_device{}()),
      clients_(options.slots),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kBufferSize) {
  for (const std::string& topic : options.topics) topics_.push_back(client::QuoteJson(topic));
}

WebSocketSwarm::~WebSocketSwarm() {
  for (uint32_t slot = 0; slot < clients_.size(); ++slot) Leave(slot, 1000);
  close(epoll_);
}

bool WebSocketSwarm::BindSource(int fd) {
  const uint64_t source = opened_++ / kPortsPerSource;
  if (source == 0 || !address_.is_loopback_v4()) return true;
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  sockaddr_in from = {};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<uint32_t>(source % 200));
  return bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) == 0;
}

void WebSocketSwarm::Open(uint32_t slot) {
  Client& client = clients_[slot];
  ++client.generation;
  client.state = State::kConnecting;
  client.reading = true;
  client.opened_at = NowNs();
  client.fd = socket(address_.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (client.fd >= 0) setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (client.fd < 0 || !BindSource(client.fd)) {
    failed_.emplace_back(slot, std::strerror(errno));
    return;
  }
  // An immediate refusal is reported by epoll like a late one.
  connect(client.fd, reinterpret_cast<const sockaddr*>(&address_.storage), address_.size);
  epoll_event event = {};
  event.events = client.interest = EPOLLOUT;
  event.data.u64 = EventData(slot, client.generation);
  epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event);
}

void WebSocketSwarm::Watch(uint32_t slot) {
  Client& client = clients_[slot];
  uint32_t interest = EPOLLRDHUP;
  if (client.reading || client.state != State::kOpen) interest |= EPOLLIN;
  if (!client.out.empty()) interest |= EPOLLOUT;
  if (interest == client.interest) return;
  epoll_event event = {};
  event.events = client.interest = interest;
  event.data.u64 = EventData(slot, client.generation);
  epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
}

void WebSocketSwarm::Wait(int64_t deadline) {
  const int64_t wait = std::max<int64_t>(deadline - NowNs(), 0);
  timespec timeout;
  timeout.tv_sec = wait / kSecond;
  timeout.tv_nsec = wait % kSecond;
  int count = epoll_pwait2(epoll_, ready_.data(), ready_.size(), &timeout, nullptr);
  if (count < 0 && errno == ENOSYS) {
    count = epoll_wait(epoll_, ready_.data(), ready_.size(), static_cast<int>(wait / kMillisecond));
  }
  ready_next_ = 0;
  ready_count_ = std::max(count, 0);
}

void WebSocketSwarm::Poll(int64_t deadline) {
  for (auto& [slot, why] : std::exchange(failed_, {})) {
    if (clients_[slot].state == State::kConnecting) {
      End(slot, SessionEnd::Kind::kConnectFailed, std::move(why));
    }
  }
  if (ready_next_ == ready_count_) Wait(deadline);
  now_ = 0;
  while (ready_next_ < ready_count_) {
    const epoll_event event = ready_[ready_next_++];
    const auto slot = static_cast<uint32_t>(event.data.u64);
    if (clients_[slot].generation == event.data.u64 >> 32 &&
        clients_[slot].state != State::kEmpty) {
      Handle(slot, event.events);
    }
    // The rest stays for the next call, because messages sent by the clock go first.
    if (now_ >= deadline) return;
  }
}

void WebSocketSwarm::Handle(uint32_t slot, uint32_t events) {
  Client& client = clients_[slot];
  const uint32_t generation = client.generation;
  if (client.state == State::kConnecting) return FinishConnect(slot);
  if (client.state == State::kSecuring) return Secure(slot);
  if ((events & EPOLLOUT) != 0) FlushOut(slot);
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    ReadToTheEnd(slot);
  } else if ((events & EPOLLIN) != 0 && client.generation == generation) {
    Receive(slot, buffer_.size());
  }
}

void WebSocketSwarm::FinishConnect(uint32_t slot) {
  Client& client = clients_[slot];
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    End(slot, SessionEnd::Kind::kConnectFailed, std::strerror(error));
    return;
  }
  if (tls_ != nullptr) {
    client.state = State::kSecuring;
    client.tls = client::NewTls(tls_.get(), host_);
    SSL_set_fd(client.tls.get(), client.fd);
    Secure(slot);
  } else {
    AskForUpgrade(slot);
  }
}

void WebSocketSwarm::AskForUpgrade(uint32_t slot) {
  clients_[slot].state = State::kUpgrading;
  Write(slot, request_);
  Watch(slot);
}

void WebSocketSwarm::Secure(uint32_t slot) {
  SSL* const tls = clients_[slot].tls.get();
  ERR_clear_error();
  const int result = SSL_connect(tls);
  if (result == 1) return AskForUpgrade(slot);
  if (SSL_get_error(tls, result) == SSL_ERROR_WANT_READ) return Watch(slot);
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  End(slot, SessionEnd::Kind::kConnectFailed,
      Concat("TLS: ", reason == nullptr ? "the server ended the connection" : reason));
}

ssize_t WebSocketSwarm::ReceiveSome(Client* client, char* bytes, size_t size) {
  if (client->tls == nullptr) return recv(client->fd, bytes, size, 0);
  ERR_clear_error();
  const int result = SSL_read(client->tls.get(), bytes, static_cast<int>(size));
  if (result > 0) return result;
  const int error = SSL_get_error(client->tls.get(), result);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error != SSL_ERROR_SYSCALL || errno == 0) {
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
  }
  return -1;
}

ssize_t WebSocketSwarm::SendSome(Client* client, std::string_view bytes) {
  if (client->tls == nullptr) return send(client->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ERR_clear_error();
  const int result = SSL_write(client->tls.get(), bytes.data(), static_cast<int>(bytes.size()));
  if (result > 0) return result;
  const int error = SSL_get_error(client->tls.get(), result);
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
  return -1;
}

bool WebSocketSwarm::Receive(uint32_t slot, size_t limit) {
  Client& client = clients_[slot];
  const size_t kept = client.in.size();
  // A frame that does not fit the shared buffer makes it grow, for all and for good.
  if (buffer_.size() - kept < kBufferSize / 2) buffer_.resize(2 * buffer_.size());
  std::memcpy(buffer_.data(), client.in.data(), kept);
  const ssize_t received =
      ReceiveSome(&client, buffer_.data() + kept, std::min(limit, buffer_.size() - kept));
  if (received <= 0) {
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    const bool upgrading = client.state == State::kUpgrading;
    End(slot, upgrading ? SessionEnd::Kind::kRefused : SessionEnd::Kind::kLost,
        received == 0 ? "the server ended the connection without a close frame"
                      : std::strerror(errno));
    return false;
  }
  client.in.clear();
  bytes_received_ += received;
  now_ = NowNs();
  Consume(slot, buffer_.data(), kept + received, now_);
  return true;
}

void WebSocketSwarm::Consume(uint32_t slot, const char* data, size_t size, int64_t now) {
  Client& client = clients_[slot];
  const uint32_t generation = client.generation;
  const char* const end = data + size;
  if (client.state == State::kUpgrading) {
    const size_t used = ConsumeUpgrade(slot, std::string_view(data, size), now);
    if (client.generation != generation || client.state != State::kOpen) return;
    data += used;
  }
  FrameHeader header;
  while (data != end) {
    const HeaderResult result = client::ReadServerFrameHeader(data, end - data, &header);
    if (result == HeaderResult::kInvalid || header.payload_size > kMaxFrame) {
      End(slot, SessionEnd::Kind::kProtocol, "an invalid WebSocket frame");
      return;
    }
    if (result == HeaderResult::kIncomplete ||
        static_cast<uint64_t>(end - data) < header.header_size + header.payload_size) {
      client.in.assign(data, end - data);
      return;
    }
    const std::string_view payload(data + header.header_size, header.payload_size);
    data += header.header_size + header.payload_size;
    if (header.final && header.opcode == Opcode::kText) {
      Deliver(slot, payload, now);
    } else {
      ConsumeRareFrame(slot, header, payload, now);
    }
    if (client.generation != generation || client.state != State::kOpen) return;
  }
}

size_t WebSocketSwarm::ConsumeUpgrade(uint32_t slot, std::string_view data, int64_t now) {
  Client& client = clients_[slot];
  const size_t head = data.find("\r\n\r\n");
  if (head == std::string_view::npos) {
    if (data.size() > kMaxUpgradeAnswer) {
      End(slot, SessionEnd::Kind::kRefused, "the answer to the upgrade does not end");
    } else {
      client.in.assign(data);
    }
    return 0;
  }
  const client::UpgradeAnswer answer = client::ReadUpgradeAnswer(data.substr(0, head), accept_);
  if (!answer.problem.empty()) {
    End(slot, SessionEnd::Kind::kRefused, answer.problem);
    return 0;
  }
  client.state = State::kOpen;
  Watch(slot);
  handler_->OnOpen(slot, now - client.opened_at);
  return head + 4;
}

void WebSocketSwarm::ConsumeRareFrame(uint32_t slot, const FrameHeader& header,
                                      std::string_view payload, int64_t now) {
  Client& client = clients_[slot];
  switch (header.opcode) {
    case Opcode::kPing:
      SendFrame(slot, Opcode::kPong, payload);
      return;
    case Opcode::kPong:
      return;
    case Opcode::kClose: {
      const uint16_t code = client::CloseCode(payload);
      SendFrame(slot, Opcode::kClose, payload);
      End(slot, SessionEnd::Kind::kClosed,
          Concat("closed by the server with ", code, " ",
                 payload.substr(std::min<size_t>(2, payload.size()))));
      return;
    }
    case Opcode::kText:
      client.message.assign(payload);
      return;
    case Opcode::kContinuation:
      client.message.append(payload);
      if (client.message.size() > kMaxFrame) {
        End(slot, SessionEnd::Kind::kProtocol, "a message that does not end");
      } else if (header.final) {
        Deliver(slot, std::exchange(client.message, std::string()), now);
      }
      return;
    case Opcode::kBinary:
      End(slot, SessionEnd::Kind::kProtocol, "a binary message in the plain dialect");
      return;
  }
}

void WebSocketSwarm::Deliver(uint32_t slot, std::string_view text, int64_t now) {
  Delivery delivery;
  if (!scanner_.Scan(text, &delivery)) {
    End(slot, SessionEnd::Kind::kProtocol,
        Concat("not a message of the plain dialect: ", text.substr(0, 80)));
    return;
  }
  handler_->OnDelivery(slot, delivery, now);
}

void WebSocketSwarm::ReadToTheEnd(uint32_t slot) {
  const uint32_t generation = clients_[slot].generation;
  while (clients_[slot].generation == generation && clients_[slot].state != State::kEmpty &&
         Receive(slot, buffer_.size())) {
  }
}

void WebSocketSwarm::Broadcast(uint32_t slot, size_t topic, std::string_view body) {
  scratch_.clear();
  AppendTo(&scratch_, "{\"user_id\":\"", slot, "\",\"action_type\":\"broadcast\",\"body\":\"", body,
           "\",\"data\":null");
  if (topics_[topic].size() > 2) AppendTo(&scratch_, ",\"topic\":", topics_[topic]);
  scratch_ += '}';
  SendFrame(slot, Opcode::kText, scratch_);
}

void WebSocketSwarm::Direct(uint32_t slot, std::string_view body) {
  scratch_.clear();
  AppendTo(&scratch_, "{\"user_id\":\"", slot, "\",\"action_type\":\"direct\",\"body\":\"", body,
           "\",\"data\":null}");
  SendFrame(slot, Opcode::kText, scratch_);
}

void WebSocketSwarm::Subscribe(uint32_t slot, size_t topic) {
  SendFrame(slot, Opcode::kText,
            Concat("{\"action_type\":\"subscribe\",\"topic\":", topics_[topic], "}"));
}

void WebSocketSwarm::SendFrame(uint32_t slot, Opcode opcode, std::string_view payload) {
  if (clients_[slot].state != State::kOpen) return;
  frame_.clear();
  client::AppendClientFrame(opcode, payload, mask_, &frame_);
  Write(slot, frame_);
}

void WebSocketSwarm::Write(uint32_t slot, std::string_view bytes) {
  Client& client = clients_[slot];
  if (client.out.empty()) {
    const ssize_t sent = SendSome(&client, bytes);
    // A failed connection is reported by epoll, with what can still be read from it.
    if (sent < 0 && errno != EAGAIN) return;
    if (sent > 0) bytes.remove_prefix(sent);
    if (bytes.empty()) return;
  }
  client.out.append(bytes);
  Watch(slot);
}

void WebSocketSwarm::FlushOut(uint32_t slot) {
  Client& client = clients_[slot];
  const ssize_t sent = SendSome(&client, client.out);
  if (sent > 0) client.out.erase(0, sent);
  Watch(slot);
}

void WebSocketSwarm::SetReading(uint32_t slot, bool reading) {
  Client& client = clients_[slot];
  if (client.state == State::kEmpty || client.reading == reading) return;
  client.reading = reading;
  if (client.state == State::kOpen) Watch(slot);
}

void WebSocketSwarm::Grant(uint32_t slot, size_t bytes) {
  if (clients_[slot].state == State::kOpen) Receive(slot, bytes);
}

void WebSocketSwarm::Leave(uint32_t slot, uint16_t code) {
  Client& client = clients_[slot];
  if (client.state == State::kEmpty) return;
  if (client.state == State::kOpen && client.out.empty()) {
    frame_.clear();
    client::AppendCloseFrame(code, "", mask_, &frame_);
    Write(slot, frame_);
  }
  Close(slot);
}

void WebSocketSwarm::Close(uint32_t slot) {
  Client& client = clients_[slot];
  client.tls.reset();
  if (client.fd >= 0) close(client.fd);
  client.fd = -1;
  client.state = State::kEmpty;
  client.interest = 0;
  client.in.clear();
  client.out.clear();
  client.message.clear();
}

void WebSocketSwarm::End(uint32_t slot, SessionEnd::Kind kind, std::string what) {
  Close(slot);
  handler_->OnEnd(slot, SessionEnd{kind, std::move(what)});
}

absl::StatusOr<std::unique_ptr<Swarm>> MakeWebSocketSwarm(const SwarmOptions& options,
                                                          SwarmHandler* handler) {
  absl::StatusOr<client::WebSocketUrl> url = client::ParseWebSocketUrl(options.url);
  if (!url.ok()) return url.status();
  absl::StatusOr<client::SocketAddress> address = client::Resolve(url->host, url->port);
  if (!address.ok()) return address.status();
  client::SslContextPtr tls;
  if (url->tls) {
    auto context = client::NewTlsContext(options.tls);
    if (!context.ok()) return context.status();
    tls = *std::move(context);
    SSL_CTX_set_mode(tls.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  }
  return std::make_unique<WebSocketSwarm>(options, *url, *address, std::move(tls), handler);
}

}  // namespace crier::bench
