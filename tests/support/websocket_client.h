// A small blocking WebSocket client over a raw socket, for tests. It can break every rule for
// clients.
#ifndef CRIER_TESTS_SUPPORT_WEBSOCKET_CLIENT_H_
#define CRIER_TESTS_SUPPORT_WEBSOCKET_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/net/unique_fd.h"

namespace crier::testing {

// A frame as it came: the payload is still deflated if `rsv1` is set.
struct Frame {
  uint8_t opcode = 0;
  bool fin = false;
  bool rsv1 = false;
  std::string payload;

  // Of a close frame; 0: none.
  uint16_t close_code() const;
  std::string close_reason() const;
};

inline constexpr uint8_t kContinuation = 0x0;
inline constexpr uint8_t kText = 0x1;
inline constexpr uint8_t kBinary = 0x2;
inline constexpr uint8_t kClose = 0x8;
inline constexpr uint8_t kPing = 0x9;
inline constexpr uint8_t kPong = 0xA;

// Not thread-safe. Every wait ends after kPatience at the latest.
class WebSocketClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  static constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(10);

  struct Options {
    std::string target = "/ws";
    Headers headers;  // besides those that every upgrade has
    // Of this side's socket; 0: the system's own. A small one makes a peer's kernel fill up early.
    int receive_buffer = 0;
  };

  // `address`: "127.0.0.1:PORT". Connects without a handshake.
  explicit WebSocketClient(const std::string& address, int receive_buffer = 0);
  // Connects and asks for the upgrade. status() says how that went.
  WebSocketClient(const std::string& address, const Options& options);
  WebSocketClient(WebSocketClient&&) = default;
  WebSocketClient& operator=(WebSocketClient&&) = default;

  // The upgrade request, and its answer.
  bool Handshake(const Options& options);
  static std::string UpgradeRequest(const std::string& address, const Options& options);
  // Reads an HTTP answer's header, up to the empty line.
  bool ReadResponseHeader();
  // Exactly this many bytes after it, or fewer if no more come.
  std::string ReadBytes(size_t count);
  // As many as the response's Content-Length says.
  std::string ReadBody();
  int status() const { return status_; }
  const std::string& response() const { return response_; }

  // --- Sending. False: the connection is broken.

  bool SendRaw(std::string_view bytes);
  bool SendText(std::string_view text) { return SendFrame(kText, text); }
  bool SendFrame(uint8_t opcode, std::string_view payload, bool fin = true, uint8_t rsv = 0);
  bool SendClose(uint16_t code = 1000, std::string_view reason = {});
  // The bytes of a frame, masked as a client has to.
  static std::string MaskedFrame(uint8_t opcode, std::string_view payload, bool fin = true,
                                 uint8_t rsv = 0);

  // --- Receiving.

  // The next frame of any kind. nullopt: none came in time, or the connection ended.
  std::optional<Frame> ReadFrame(std::chrono::milliseconds patience = kPatience);
  // The next text message. Answers pings and skips other control frames. Empty: none.
  std::string ReadText(std::chrono::milliseconds patience = kPatience);
  // The next close frame. Skips everything before it.
  std::optional<Frame> ReadClose(std::chrono::milliseconds patience = kPatience);
  // True if the peer ends the connection in time. Ignores what it sends before.
  bool WaitForEnd(std::chrono::milliseconds patience = kPatience);
  // True if nothing comes for this long.
  bool StaysSilent(std::chrono::milliseconds time);
  // Everything that is there now and comes within this time.
  size_t bytes_received() const { return bytes_received_; }
  // Was the end of the last read a reset?
  bool was_reset() const { return was_reset_; }

  // --- Leaving.

  // Sends a close frame and waits for the answer and the end, as a client should. Returns the
  // server's close frame.
  std::optional<Frame> CloseNicely(uint16_t code = 1000);
  // Closes without a close frame.
  void Drop() { fd_.reset(); }
  // Closes with a reset.
  void Reset();

  int fd() const { return fd_.get(); }

 private:
  // More into buffer_; false: nothing came in time, or the end.
  bool Fill(std::chrono::steady_clock::time_point deadline);

  std::string address_;
  UniqueFd fd_;
  std::string buffer_;
  std::string response_;
  int status_ = 0;
  size_t bytes_received_ = 0;
  bool ended_ = false;
  bool was_reset_ = false;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_WEBSOCKET_CLIENT_H_
