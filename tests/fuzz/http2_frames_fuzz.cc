// Whatever frames a client sends, in whatever order and cut wherever: the server goes on, keeps no
// more than a connection may, sends whole frames, and keeps nothing once the connection is gone.
//
// The input is a list of steps (Fuzzer::Step), so that most of what comes up is whole frames of
// open streams. The server is real, with one shard that this thread drives, and has a socket pair.
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crier/v1/messaging.pb.h"
#include "server/grpc/grpc_connections.h"
#include "server/grpc/health_service.h"
#include "server/grpc/http2_connection.h"
#include "server/grpc/message_reader.h"
#include "server/grpc/messaging_service.h"
#include "server/grpc/reflection_service.h"
#include "server/grpc/unary_service.h"
#include "server/net/connection_table.h"
#include "server/service/messaging_methods.h"
#include "tests/fuzz/driven_engine.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace crier;        // NOLINT: a program of one file
using namespace crier::fuzz;  // NOLINT

constexpr std::string_view kPaths[] = {
    "/crier.v1.Messaging/Connect",
    "/crier.v1.Messaging/Subscribe",
    "/crier.v1.Messaging/Publish",
    "/crier.v1.Messaging/History",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/nobody.Knows/This",
};

class Server : public DrivenEngine {
 public:
  Server() {
    AddMessagingMethods(&engine(), &unary_);
    RegisterUnary(unary_, &methods_);
    messaging_.Register(&methods_);
    health_.Register(&methods_);
    RegisterReflection({"crier.v1.Messaging"}, &methods_);
    Require(connections_.Start(/*io_uring=*/false).ok());
    shard().AddTicker([this](TimePoint now) { connections_.Tick(now); });
    shard().AfterWakes([this] { connections_.AfterWakes(); });
  }

  void Accept(UniqueFd fd) {
    auto place = table_.Enter("");
    Require(place.has_value());
    Http2Connection::Start(&connections_,
                           {.fd = std::move(fd), .peer = "", .place = std::move(*place)});
  }
  int64_t kept() {
    return DrivenEngine::kept({MemoryKind::kInput, MemoryKind::kOutput, MemoryKind::kHttp2});
  }
  GrpcConnections& connections() { return connections_; }

 private:
  ConnectionTable table_{{}};
  GrpcOptions options_;
  UnaryMethods unary_;
  MessagingService messaging_;
  HealthService health_{1};
  MethodTable methods_;
  GrpcConnections connections_{&shard(), &options_, &methods_};
};

void AppendString(std::string_view text, std::string* block) {
  size_t rest = text.size();
  if (rest >= 127) {
    block->push_back(127);
    for (rest -= 127; rest >= 128; rest /= 128) {
      block->push_back(static_cast<char>(rest % 128 + 128));
    }
  }
  block->push_back(static_cast<char>(rest));
  block->append(text);
}

void AppendField(char form, std::string_view name, std::string_view value, std::string* block) {
  block->push_back(form);
  AppendString(name, block);
  AppendString(value, block);
}

class Fuzzer {
 public:
  Fuzzer(Server* server, FuzzInput input) : server_(*server), input_(input) {
    int fds[2];
    Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    fd_ = UniqueFd(fds[0]);
    server_.Accept(UniqueFd(fds[1]));
  }

  void Run() {
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    for (int steps = 0; steps < 200 && !input_.empty(); ++steps) {
      Step();
      server_.Poll();
      Require(server_.kept() < 8 << 20);
    }
    fd_.reset();
    // The server may be waiting for the end of one that it has closed itself.
    server_.Pass(std::chrono::seconds(4));
    Require(server_.kept() == 0);
    Require(server_.sessions(TransportKind::kGrpc) == 0);
    Require(server_.connections().size() == 0);
  }

 private:
  void Step() {
    switch (input_.Byte() % 16) {
      case 0: {
        std::string settings;
        for (int i = input_.Byte() % 4; i >= 0; --i) {
          settings += {'\0', static_cast<char>(input_.Byte() % 10)};
          AppendNumber(input_.Choose({0, 1, 100, 65'535, 1 << 30, input_.Number()}), &settings);
        }
        return Frame(NGHTTP2_SETTINGS, 0, 0, settings);
      }
      case 1:
        return Frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0);
      case 2:
      case 3: {
        std::string block = HeadOf(kPaths[input_.Byte() % std::size(kPaths)]);
        return Headers(NewStream(), block);
      }
      case 4: {
        std::string block = HeadOf(kPaths[input_.Byte() % std::size(kPaths)]);
        const std::string large(input_.Choose({100, 5000, 9000, 65'536, 70'000, 300'000}), 'x');
        const bool is_name = input_.Byte() % 2 != 0;
        const char form = input_.Byte() % 2 != 0 ? '\x40' : '\0';
        AppendField(form, is_name ? large : "x", is_name ? "x" : large, &block);
        block.append(input_.Byte() * 50, '\xBE');
        return Headers(NewStream(), block);
      }
      case 5:
        return Headers(Stream(), std::string(input_.Bytes()));
      case 6:
      case 7:
        return Frame(NGHTTP2_DATA, input_.Byte() & 1, Stream(), Message());
      case 8:
        return Frame(NGHTTP2_DATA, input_.Byte() & 9, Stream(), input_.Bytes());
      case 9: {
        std::string number;
        AppendNumber(input_.Choose({0, 1, 1000, 1 << 20, INT32_MAX, input_.Number()}), &number);
        return Frame(NGHTTP2_WINDOW_UPDATE, 0, input_.Byte() % 2 != 0 ? Stream() : 0, number);
      }
      case 10:
        return Frame(NGHTTP2_RST_STREAM, 0, Stream(), std::string("\0\0\0\x08", 4));
      case 11:
        return Frame(NGHTTP2_PING, input_.Byte() & 1, 0, "12345678");
      case 12:
        return Frame(input_.Byte(), input_.Byte(), Stream(), input_.Bytes());
      case 13:
        return Read();
      case 14:
        return server_.Pass(std::chrono::milliseconds(100) * input_.Byte());
      default:
        return Send(input_.Bytes());
    }
  }

  int32_t NewStream() { return std::exchange(next_stream_, next_stream_ + 2); }
  // Mostly one that was opened.
  int32_t Stream() { return 1 + 2 * static_cast<int32_t>(input_.Byte() % (next_stream_ / 2 + 1)); }

  std::string HeadOf(std::string_view path) {
    std::string block = "\x83\x86";  // POST, http
    AppendField('\0', ":path", path, &block);
    AppendField('\0', "content-type", "application/grpc", &block);
    if (input_.Byte() % 8 == 0) AppendField('\0', "grpc-timeout", "1S", &block);
    if (input_.Byte() % 8 == 0) AppendField('\0', "grpc-encoding", "gzip", &block);
    if (input_.Byte() % 2 == 0) AppendField('\0', "crier-user-id", "alice", &block);
    return block;
  }

  std::string Message() {
    v1::ClientFrame frame;
    v1::PublishRequest publish;
    v1::HistoryRequest history;
    std::string message;
    const std::string body(input_.Choose({1, 1000, 60'000}), 'b');
    switch (input_.Byte() % 7) {
      case 0:
        frame.mutable_subscribe()->set_topic("topic");
        message = frame.SerializeAsString();
        break;
      case 1:
        frame.mutable_publish()->set_action_type(v1::DIRECT);
        frame.mutable_publish()->set_body(body);
        message = frame.SerializeAsString();
        break;
      case 2:
        frame.mutable_ping()->set_id("ping");
        message = frame.SerializeAsString();
        break;
      case 3:
        publish.mutable_message()->set_action_type(v1::BROADCAST);
        publish.mutable_message()->set_topic("topic");
        publish.mutable_message()->set_body(body);
        message = publish.SerializeAsString();
        break;
      case 4:
        history.set_topic("topic");
        message = history.SerializeAsString();
        break;
      case 5:
        message =
            "\x22\x12"
            "crier.v1.Messaging";
        break;
      default:
        message = input_.Bytes();
    }
    std::string framed;
    AppendMessagePrefix(message.size(), &framed);
    framed += message;
    if (input_.Byte() % 8 == 0) framed.resize(input_.Byte() % (framed.size() + 1));
    return framed;
  }

  static void AppendNumber(uint32_t number, std::string* out) {
    for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(number >> shift));
  }

  // The block in frames of at most 16 KiB, or smaller ones.
  void Headers(int32_t stream, std::string_view block) {
    const size_t most = input_.Choose({16'384, 16'384, 100, 1000});
    uint8_t type = NGHTTP2_HEADERS;
    uint8_t flags = input_.Byte() & NGHTTP2_FLAG_END_STREAM;
    do {
      const std::string_view part = block.substr(0, most);
      block.remove_prefix(part.size());
      Frame(type, flags | (block.empty() ? NGHTTP2_FLAG_END_HEADERS : 0), stream, part);
      type = NGHTTP2_CONTINUATION;
      flags = 0;
    } while (!block.empty());
  }

  // DATA of more than a frame is sent as several.
  void Frame(uint8_t type, uint8_t flags, int32_t stream, std::string_view payload = {}) {
    constexpr size_t kMost = 16'384;
    while (type == NGHTTP2_DATA && payload.size() > kMost) {
      WriteFrame(type, flags & ~NGHTTP2_FLAG_END_STREAM, stream, payload.substr(0, kMost));
      payload.remove_prefix(kMost);
    }
    WriteFrame(type, flags, stream, payload);
  }

  void WriteFrame(int type, int flags, int32_t stream, std::string_view payload) {
    std::string frame;
    AppendNumber(static_cast<uint32_t>(payload.size() << 8) | static_cast<uint8_t>(type), &frame);
    frame.push_back(static_cast<char>(flags));
    AppendNumber(static_cast<uint32_t>(stream), &frame);
    Send(frame.append(payload));
  }

  void Send(std::string_view bytes) {
    while (!bytes.empty() && !closed_) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
      // Where the server does not read, for once.
      if (sent <= 0 && std::exchange(stuck_, true)) closed_ = true;
      if (sent > 0) stuck_ = false;
      server_.Poll();
    }
  }

  void Read() {
    std::array<char, 65'536> buffer;
    ssize_t count;
    while ((count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0)) > 0) {
      received_.append(buffer.data(), static_cast<size_t>(count));
      while (received_.size() >= 9) {
        const size_t size = static_cast<uint8_t>(received_[0]) << 16 |
                            static_cast<uint8_t>(received_[1]) << 8 |
                            static_cast<uint8_t>(received_[2]);
        Require(size <= 16'384);
        Require(static_cast<uint8_t>(received_[3]) <= NGHTTP2_CONTINUATION);
        if (received_.size() < 9 + size) break;
        received_.erase(0, 9 + size);
      }
      server_.Poll();
    }
  }

  Server& server_;
  FuzzInput input_;
  UniqueFd fd_;
  int32_t next_stream_ = 1;
  bool closed_ = false;
  bool stuck_ = false;
  std::string received_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Server* const server = new Server;
  Fuzzer(server, FuzzInput(data, size)).Run();
  return 0;
}
