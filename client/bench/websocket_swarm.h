// WebSocket clients on bare sockets and one epoll.
#ifndef CRIER_CLIENT_BENCH_WEBSOCKET_SWARM_H_
#define CRIER_CLIENT_BENCH_WEBSOCKET_SWARM_H_

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/address.h"
#include "client/bench/swarm.h"
#include "client/bench/text_scanner.h"
#include "client/tls.h"
#include "client/websocket_frame.h"

namespace crier::bench {

// The load generator runs on the same machine as the server that it measures, so it has to cost
// little. All clients receive into one buffer, and frames are read in place. A client keeps bytes
// only if a frame is incomplete.
class WebSocketSwarm : public Swarm {
 public:
  // `tls`: null for ws://.
  WebSocketSwarm(const SwarmOptions& options, const client::WebSocketUrl& url,
                 const client::SocketAddress& address, client::SslContextPtr tls,
                 SwarmHandler* handler);
  ~WebSocketSwarm() override;

  WebSocketSwarm(const WebSocketSwarm&) = delete;
  WebSocketSwarm& operator=(const WebSocketSwarm&) = delete;

  void Open(uint32_t slot) override;
  bool is_open(uint32_t slot) const override { return clients_[slot].state == State::kOpen; }
  void Broadcast(uint32_t slot, size_t topic, std::string_view body) override;
  void Direct(uint32_t slot, std::string_view body) override;
  void Subscribe(uint32_t slot, size_t topic) override;
  void SetReading(uint32_t slot, bool reading) override;
  void Grant(uint32_t slot, size_t bytes) override;
  void Leave(uint32_t slot, uint16_t code) override;
  void Poll(int64_t deadline) override;
  uint64_t bytes_received() const override { return bytes_received_; }

 private:
  enum class State : uint8_t { kEmpty, kConnecting, kSecuring, kUpgrading, kOpen };

  struct Client {
    int fd = -1;
    // Counts the sessions of this slot, so that events and callbacks of old ones can be recognised.
    uint32_t generation = 0;
    State state = State::kEmpty;
    bool reading = true;
    uint32_t interest = 0;  // What epoll watches for.
    int64_t opened_at = 0;
    client::SslPtr tls;
    std::string in;       // The start of a frame whose end has not come.
    std::string out;      // What the kernel did not take.
    std::string message;  // The fragments of a message so far.
  };

  void Wait(int64_t deadline);
  void Handle(uint32_t slot, uint32_t events);
  void FinishConnect(uint32_t slot);
  void AskForUpgrade(uint32_t slot);
  // Goes on with the handshake of TLS, and then asks for the upgrade.
  void Secure(uint32_t slot);
  // As recv and send; a wait of TLS is EAGAIN.
  static ssize_t ReceiveSome(Client* client, char* bytes, size_t size);
  static ssize_t SendSome(Client* client, std::string_view bytes);
  // Receives once, at most `limit` bytes. False if nothing more can be read: end of stream, error,
  // or no data.
  bool Receive(uint32_t slot, size_t limit);
  void Consume(uint32_t slot, const char* data, size_t size, int64_t now);
  // Returns the bytes used; 0: not complete yet.
  size_t ConsumeUpgrade(uint32_t slot, std::string_view data, int64_t now);
  void ConsumeRareFrame(uint32_t slot, const client::FrameHeader& header, std::string_view payload,
                        int64_t now);
  void Deliver(uint32_t slot, std::string_view text, int64_t now);
  void ReadToTheEnd(uint32_t slot);

  void SendFrame(uint32_t slot, client::Opcode opcode, std::string_view payload);
  void Write(uint32_t slot, std::string_view bytes);
  void FlushOut(uint32_t slot);
  void Watch(uint32_t slot);
  void Close(uint32_t slot);
  void End(uint32_t slot, SessionEnd::Kind kind, std::string what);
  bool BindSource(int fd);

  SwarmHandler* const handler_;
  const client::SocketAddress address_;
  const std::string request_;
  const std::string accept_;
  const std::string host_;
  const client::SslContextPtr tls_;
  const uint32_t mask_;
  std::vector<std::string> topics_;  // As JSON strings.
  std::vector<Client> clients_;
  int epoll_ = -1;
  uint64_t opened_ = 0;
  uint64_t bytes_received_ = 0;
  int64_t now_ = 0;

  // Sessions that ended before anything could be sent; reported by the next Poll.
  std::vector<std::pair<uint32_t, std::string>> failed_;
  std::array<epoll_event, 512> ready_;
  size_t ready_next_ = 0;
  size_t ready_count_ = 0;
  std::vector<char> buffer_;
  std::string scratch_;
  std::string frame_;
  TextScanner scanner_;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_WEBSOCKET_SWARM_H_
