// A small blocking HTTP/2 client over a loopback socket, for tests. The test decides when each
// frame leaves and how much of the window the client gives back. It knows nothing about gRPC and
// has no threads.
#ifndef CRIER_TESTS_SUPPORT_HTTP2_CLIENT_H_
#define CRIER_TESTS_SUPPORT_HTTP2_CLIENT_H_

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/net/unique_fd.h"

namespace crier::testing {

// Not thread-safe. Every wait ends after kPatience at the latest. If the server breaks the
// protocol, the test fails.
class Http2Client {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  static constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(10);

  // The received part of a response.
  struct Stream {
    Fields head;
    Fields trailers;
    std::string data;
    size_t data_frames = 0;
    bool ended = false;             // with END_STREAM
    std::optional<uint32_t> reset;  // RST_STREAM, with this code

    // A field's value, of the trailers or else of the head; empty: it has not come.
    std::string Find(std::string_view name) const;
  };

  struct GoneAway {
    uint32_t code;
    std::string debug_data;
  };

  struct Options {
    // How much the server may send; the stream's is that of each new one.
    int32_t stream_window = NGHTTP2_INITIAL_WINDOW_SIZE;
    int32_t connection_window = NGHTTP2_INITIAL_WINDOW_SIZE;
    // What was received is given back to the windows. Else see SetWindow.
    bool returns_window = true;
  };

  // Connects to "127.0.0.1:PORT", and waits until both sides have each other's settings.
  explicit Http2Client(const std::string& address);
  Http2Client(const std::string& address, const Options& options);
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // --- Sending. All of it leaves at once.

  // Begins a request, and returns its stream. `half_close`: with END_STREAM.
  int32_t Start(const Fields& fields, bool half_close = false);
  // As one DATA frame, if the server's window and frame size allow it.
  void Send(int32_t stream, std::string_view bytes, bool half_close = false);
  void HalfClose(int32_t stream) { Send(stream, {}, true); }
  // Ends the sending side with trailers.
  void SendTrailers(int32_t stream, const Fields& fields);
  void Reset(int32_t stream, uint32_t code = NGHTTP2_CANCEL);
  void Ping();
  // Lets the server send this many bytes in all on the stream, if nothing is given back. Stream 0:
  // on the connection. The window can only grow.
  void SetWindow(int32_t stream, int32_t bytes);
  // These bytes between two frames, whatever they are.
  void SendRaw(std::string_view bytes);
  // Closes the socket.
  void Drop() { fd_.reset(); }

  // --- Receiving. Nothing is read but here.

  // Reads until the condition holds. False: it does not in time, or the connection has closed.
  bool Await(const std::function<bool()>& condition,
             std::chrono::milliseconds patience = kPatience);
  // Reads until the response has ended or was reset. The test fails if neither comes.
  const Stream& AwaitEnd(int32_t stream);
  // Reads until the server has closed the connection.
  bool AwaitClose();

  const Stream& stream(int32_t id) { return streams_[id].received; }
  size_t ping_acks() const { return ping_acks_; }
  size_t goaways() const { return goaways_; }
  // The last GOAWAY.
  const std::optional<GoneAway>& gone_away() const { return gone_away_; }
  // The server has closed the connection.
  bool closed() const { return closed_; }
  // A setting of the server's.
  uint32_t ServersSetting(nghttp2_settings_id id) const;

 private:
  friend struct Http2ClientCallbacks;

  struct Own {
    Stream received;
    std::string unsent;
    bool half_closed = false;
    bool has_trailers = false;
  };

  void Flush();
  // Receives what is there, or waits for it.
  void Receive(std::chrono::steady_clock::time_point deadline);

  UniqueFd fd_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Own> streams_;
  size_t ping_acks_ = 0;
  size_t goaways_ = 0;
  size_t settings_acks_ = 0;
  bool has_settings_ = false;
  bool closed_ = false;
  std::optional<GoneAway> gone_away_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_HTTP2_CLIENT_H_
