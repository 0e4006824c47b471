// For the conformance suite (tests/integration/websocket_conformance_*): a server with /echo, and
// cases that are sent in pieces. What a client sees must not depend on where its bytes are cut.
#ifndef CRIER_TESTS_SUPPORT_CONFORMANCE_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_CONFORMANCE_FIXTURE_H_

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/message_deflate.h"
#include "tests/support/websocket_fixture.h"

namespace crier::testing {

// CRIER_SEED repeats a run that has failed.
inline uint32_t Seed() {
  static const uint32_t seed = [] {
    const char* given = std::getenv("CRIER_SEED");
    return given != nullptr ? static_cast<uint32_t>(std::strtoul(given, nullptr, 10))
                            : std::random_device{}();
  }();
  return seed;
}

// How a case's bytes are cut.
enum class Split { kNone, kEachByte, kInsideFrames, kRandom };
inline constexpr Split kSplits[] = {Split::kNone, Split::kEachByte, Split::kInsideFrames,
                                    Split::kRandom, Split::kRandom};

inline std::string_view Name(Split split) {
  switch (split) {
    case Split::kNone:
      return "in one piece";
    case Split::kEachByte:
      return "byte by byte";
    case Split::kInsideFrames:
      return "with each frame's header cut off";
    case Split::kRandom:
      break;
  }
  return "cut at random";
}

// The bytes of frames, and where each begins.
class Script {
 public:
  Script& Raw(std::string_view bytes) {
    starts_.push_back(bytes_.size());
    bytes_ += bytes;
    return *this;
  }
  Script& Frame(uint8_t opcode, std::string_view payload, bool fin = true, uint8_t rsv = 0) {
    return Raw(WebSocketClient::MaskedFrame(opcode, payload, fin, rsv));
  }
  Script& Close(uint16_t code, std::string_view reason = {}) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
    return Frame(kClose, payload.append(reason));
  }

  const std::string& bytes() const { return bytes_; }

  std::vector<std::string_view> Pieces(Split split, std::mt19937* random) const {
    std::vector<size_t> cuts;
    switch (split) {
      case Split::kNone:
        break;
      case Split::kEachByte:
        // All of a long one would take minutes; its ends are where it matters.
        for (size_t i = 1; i < bytes_.size(); ++i) {
          if (i < 200 || i + 200 > bytes_.size()) cuts.push_back(i);
        }
        break;
      case Split::kInsideFrames:
        for (const size_t start : starts_) {
          if (cuts.size() > kMostCuts) break;
          if (start > 0) cuts.push_back(start);
          if (start + 6 < bytes_.size()) cuts.push_back(start + 6);
        }
        break;
      case Split::kRandom:
        for (size_t at = 0; cuts.size() < kMostCuts;) {
          at += 1 + (*random)() % (1 + (*random)() % 3000);  // short ones too
          if (at >= bytes_.size()) break;
          cuts.push_back(at);
        }
        break;
    }
    std::vector<std::string_view> pieces;
    size_t from = 0;
    for (const size_t cut : cuts) {
      if (cut <= from) continue;
      pieces.push_back(std::string_view(bytes_).substr(from, cut - from));
      from = cut;
    }
    pieces.push_back(std::string_view(bytes_).substr(from));
    return pieces;
  }

 private:
  static constexpr size_t kMostCuts = 200;

  std::string bytes_;
  std::vector<size_t> starts_;
};

class ConformanceTest : public WebSocketServerTest {
 protected:
  void SetUp() override {
    websocket_options.enable_echo = true;
    websocket_options.compression = true;
    Start();
  }

  WebSocketClient ConnectEcho(const std::string& extensions = {}) {
    WebSocketClient::Options options{.target = "/echo", .headers = {}};
    if (!extensions.empty()) options.headers = {{"Sec-WebSocket-Extensions", extensions}};
    return Connect(options);
  }

  // Sends the script in pieces, with time between for the server to read each by itself.
  void SendSplit(WebSocketClient& client, const Script& script, Split split) {
    for (const std::string_view piece : script.Pieces(split, &random_)) {
      if (!client.SendRaw(piece)) return;
      if (split == Split::kNone) continue;
      // Its kernel may acknowledge late, and one that has closed does not.
      Eventually(
          [&client] {
            int unsent = 1;
            return ::ioctl(client.fd(), SIOCOUTQ, &unsent) != 0 || unsent == 0;
          },
          1ms);
    }
  }

  // Sends the script over a new connection in every way of cutting it, and runs `check` each time.
  void InEverySplit(const Script& script, const std::function<void(WebSocketClient&)>& check,
                    const std::string& extensions = {}) {
    for (const Split split : kSplits) {
      SCOPED_TRACE(std::string(Name(split)) + "; CRIER_SEED=" + std::to_string(Seed()));
      WebSocketClient client = ConnectEcho(extensions);
      SendSplit(client, script, split);
      check(client);
      if (HasFatalFailure()) return;
    }
  }

  static void ExpectFrame(WebSocketClient& client, uint8_t opcode, std::string_view payload) {
    const auto frame = client.ReadFrame();
    ASSERT_TRUE(frame) << "nothing came";
    EXPECT_EQ(frame->opcode, opcode);
    EXPECT_TRUE(frame->fin);
    EXPECT_FALSE(frame->rsv1);
    EXPECT_TRUE(frame->payload == payload) << frame->payload.size() << " bytes came";
  }
  // The server closes with this code, sends nothing behind, and ends the connection when the client
  // has closed too.
  static void ExpectClose(WebSocketClient& client, uint16_t code) {
    const auto frame = client.ReadFrame();
    ASSERT_TRUE(frame) << "nothing came";
    ASSERT_EQ(frame->opcode, kClose) << frame->payload;
    EXPECT_EQ(frame->close_code(), code) << frame->close_reason();
    ::shutdown(client.fd(), SHUT_WR);
    EXPECT_FALSE(client.ReadFrame()) << "a frame behind the close frame";
    EXPECT_TRUE(client.WaitForEnd());
    EXPECT_FALSE(client.was_reset());
  }
  // The frames before still count, the last one breaks the connection.
  void ExpectFails(const Script& script, uint16_t code, const std::string& extensions = {}) {
    InEverySplit(
        script, [code](WebSocketClient& client) { ExpectClose(client, code); }, extensions);
  }

  std::mt19937 random_{Seed()};
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_CONFORMANCE_FIXTURE_H_
