#include "server/options.h"

#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "server/byte_size.h"
#include "server/net/listen_address.h"

using crier::ByteSize;

// --- Network.
ABSL_FLAG(std::string, http_listen, "127.0.0.1:8000",
          "Listen here for HTTP and WebSocket; several addresses are separated by commas; port 0 "
          "lets the system choose.");
ABSL_FLAG(std::string, grpc_listen, "127.0.0.1:50051", "Listen here for gRPC; the same form.");
ABSL_FLAG(std::string, allowed_origins, "",
          "Web pages that may connect besides those of the requested host itself, separated by "
          "commas; * allows all.");
ABSL_FLAG(bool, compression, false,
          "Negotiate permessage-deflate with WebSocket clients that offer it.");
ABSL_FLAG(bool, io_uring, true,
          "Submit the sends of a burst together through io_uring; where the kernel refuses that, "
          "they go one by one.");
ABSL_FLAG(bool, enable_echo, false,
          "Serve /echo, which sends WebSocket messages back as they come, for conformance suites.");
ABSL_FLAG(uint32_t, grpc_max_streams_per_connection, 1024, "Calls at once on one gRPC connection.");

// --- Limits.
ABSL_FLAG(ByteSize, max_body_bytes, ByteSize{64 << 10}, "Size of a message's body.");
ABSL_FLAG(uint32_t, max_topics_per_session, 128, "Topics that one session may follow.");
ABSL_FLAG(uint32_t, max_sessions, 0,
          "Connections in all; 0: as many as descriptors allow, less a reserve.");
ABSL_FLAG(uint32_t, max_sessions_per_address, 0,
          "Connections from one client address; 0: no limit.");
ABSL_FLAG(uint32_t, max_messages_per_second, 0,
          "Messages that one session may send in a second; 0: no limit.");
ABSL_FLAG(uint32_t, max_errors, 100,
          "A session is closed at so many refused messages within 10 s.");

// --- Topic logs and slow consumers.
ABSL_FLAG(ByteSize, topic_log_bytes, ByteSize{1 << 20}, "A topic keeps so much of its past.");
ABSL_FLAG(uint32_t, topic_log_events, 10'000, "A topic keeps so many events.");
ABSL_FLAG(absl::Duration, topic_log_age, absl::Minutes(5), "A topic keeps events for so long.");
ABSL_FLAG(ByteSize, total_log_bytes, ByteSize{256 << 20},
          "All topics together keep so much; the largest gives way first.");
ABSL_FLAG(ByteSize, mailbox_bytes, ByteSize{256 << 10},
          "Direct messages and answers that wait for one session.");
ABSL_FLAG(std::string, slow_consumer_policy, "skip",
          "What happens to a session that a log's end passes: skip tells it what it missed and "
          "goes on, close ends it.");

// --- Times.
ABSL_FLAG(absl::Duration, handshake_timeout, absl::Seconds(10),
          "A connection has to become a session within this time.");
ABSL_FLAG(absl::Duration, ping_interval, absl::Seconds(25),
          "A client from which nothing came for so long is pinged.");
ABSL_FLAG(absl::Duration, ping_timeout, absl::Seconds(10),
          "A pinged client has so long to send something; any byte is an answer.");
ABSL_FLAG(absl::Duration, idle_timeout, absl::Seconds(35),
          "A client that neither sends nor takes a byte for so long is closed.");
ABSL_FLAG(absl::Duration, gather_time, absl::Milliseconds(5),
          "A shard that is busy with broadcasts, several of them in each write, pauses at most so "
          "long before it writes again: fewer and longer writes; 0 means never.");
ABSL_FLAG(absl::Duration, drain_time, absl::Seconds(10),
          "On SIGTERM, sessions are closed spread over this time, and then the server exits.");

// --- Process.
ABSL_FLAG(uint32_t, shards, 0, "Threads that serve sessions; 0: one per core.");
ABSL_FLAG(std::string, log_level, "info", "What is logged, to standard error.");

namespace crier {
namespace {

constexpr std::string_view kAddresses = "HOST:PORT, e.g. 127.0.0.1:8000,[::1]:8000";
constexpr std::string_view kNumber = "a whole number, e.g. 100";
constexpr std::string_view kSize = "a number of bytes, e.g. 65536, 64KiB or 1MiB";
constexpr std::string_view kTime = "a time with its unit, e.g. 500ms, 25s or 5m";
constexpr std::string_view kSwitch = "true or false";

constexpr FlagHelp kNetwork[] = {
    {"http_listen", "ADDRESSES", kAddresses},
    {"grpc_listen", "ADDRESSES", kAddresses},
    {"allowed_origins", "ORIGINS", "e.g. https://example.org,https://example.net:8443"},
    {"compression", "", kSwitch},
    {"io_uring", "", kSwitch},
    {"enable_echo", "", kSwitch},
    {"grpc_max_streams_per_connection", "N", kNumber},
};
constexpr FlagHelp kLimits[] = {
    {"max_body_bytes", "SIZE", kSize},
    {"max_topics_per_session", "N", kNumber},
    {"max_sessions", "N", kNumber},
    {"max_sessions_per_address", "N", kNumber},
    {"max_messages_per_second", "N", kNumber},
    {"max_errors", "N", kNumber},
};
constexpr FlagHelp kLogs[] = {
    {"topic_log_bytes", "SIZE", kSize}, {"topic_log_events", "N", kNumber},
    {"topic_log_age", "TIME", kTime},   {"total_log_bytes", "SIZE", kSize},
    {"mailbox_bytes", "SIZE", kSize},   {"slow_consumer_policy", "skip|close", "skip or close"},
};
constexpr FlagHelp kTimes[] = {
    {"handshake_timeout", "TIME", kTime}, {"ping_interval", "TIME", kTime},
    {"ping_timeout", "TIME", kTime},      {"idle_timeout", "TIME", kTime},
    {"gather_time", "TIME", kTime},       {"drain_time", "TIME", kTime},
};
constexpr FlagHelp kProcess[] = {
    {"shards", "N", kNumber},
    {"log_level", "LEVEL", "trace, debug, info, warning, error or off"},
};
constexpr FlagGroup kGroups[] = {
    {"Network", kNetwork}, {"Limits", kLimits},   {"Topic logs and slow consumers", kLogs},
    {"Times", kTimes},     {"Process", kProcess},
};

// Reads flags, and remembers the first that is wrong.
class Reader {
 public:
  uint32_t Number(const absl::Flag<uint32_t>& flag, uint32_t low, uint32_t high) {
    const uint32_t value = absl::GetFlag(flag);
    Require(low <= value && value <= high, flag,
            absl::StrCat("has to be from ", low, " to ", high));
    return value;
  }

  size_t Bytes(const absl::Flag<ByteSize>& flag, ByteSize low, ByteSize high) {
    const ByteSize value = absl::GetFlag(flag);
    Require(low.bytes <= value.bytes && value.bytes <= high.bytes, flag,
            absl::StrCat("has to be from ", AbslUnparseFlag(low), " to ", AbslUnparseFlag(high)));
    return value.bytes;
  }

  std::chrono::milliseconds Time(const absl::Flag<absl::Duration>& flag, absl::Duration low,
                                 absl::Duration high) {
    const absl::Duration value = absl::GetFlag(flag);
    Require(low <= value && value <= high, flag,
            absl::StrCat("has to be from ", absl::FormatDuration(low), " to ",
                         absl::FormatDuration(high)));
    return absl::ToChronoMilliseconds(value);
  }

  std::string Addresses(const absl::Flag<std::string>& flag) {
    std::string value = absl::GetFlag(flag);
    const absl::Status status = ParseListenAddresses(value).status();
    Require(status.ok(), flag, std::string(status.message()));
    return value;
  }

  template <typename T>
  void Require(bool right, const absl::Flag<T>& flag, const std::string& what_is_right) {
    if (right || !status_.ok()) return;
    const absl::CommandLineFlag& reflection = absl::GetFlagReflectionHandle(flag);
    status_ = absl::InvalidArgumentError(
        absl::StrCat("--", reflection.Name(), "=", reflection.CurrentValue(), ": ", what_is_right));
  }

  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

// As browsers send it: scheme and host, and the port where it is not the scheme's own.
bool IsOrigin(const std::string& text) {
  if (text == "*") return true;
  const size_t host = text.find("://");
  return host != std::string::npos && host > 0 && text.size() > host + 3 &&
         text.find_first_of("/ ?#", host + 3) == std::string::npos;
}

void ReadNetwork(Reader* reader, ServerOptions* options) {
  options->http_listen = reader->Addresses(FLAGS_http_listen);
  options->grpc_listen = reader->Addresses(FLAGS_grpc_listen);
  options->websocket.allowed_origins =
      absl::StrSplit(absl::GetFlag(FLAGS_allowed_origins), ',', absl::SkipWhitespace());
  for (std::string& origin : options->websocket.allowed_origins) {
    absl::StripAsciiWhitespace(&origin);
    reader->Require(IsOrigin(origin), FLAGS_allowed_origins,
                    absl::StrCat("'", origin,
                                 "' is no origin; write SCHEME://HOST without a path, "
                                 "e.g. https://example.org"));
  }
  options->websocket.compression = absl::GetFlag(FLAGS_compression);
  options->websocket.io_uring = absl::GetFlag(FLAGS_io_uring);
  options->grpc.io_uring = options->websocket.io_uring;
  options->websocket.enable_echo = absl::GetFlag(FLAGS_enable_echo);
  options->grpc.max_streams_per_connection =
      static_cast<int>(reader->Number(FLAGS_grpc_max_streams_per_connection, 1, 1'000'000));
}

void ReadLimits(Reader* reader, ServerOptions* options) {
  const size_t body = reader->Bytes(FLAGS_max_body_bytes, {1}, {16 << 20});
  options->engine.max_body_bytes = body;
  // Room for the rest of a message, as the defaults of both transports have it.
  const size_t message = 2 * body + (4 << 10);
  options->websocket.max_body_bytes = body;
  options->websocket.max_message_bytes = message;
  options->grpc.max_receive_bytes = message;
  options->engine.max_topics_per_session =
      reader->Number(FLAGS_max_topics_per_session, 0, 1'000'000);
  options->connections.total = reader->Number(FLAGS_max_sessions, 0, 1 << 20);
  options->connections.per_address = reader->Number(FLAGS_max_sessions_per_address, 0, 1 << 20);
  options->engine.max_messages_per_second =
      reader->Number(FLAGS_max_messages_per_second, 0, 1'000'000'000);
  options->engine.max_errors = reader->Number(FLAGS_max_errors, 1, 1'000'000'000);
}

void ReadLogs(Reader* reader, ServerOptions* options) {
  EngineOptions& engine = options->engine;
  engine.topic_log.bytes = reader->Bytes(FLAGS_topic_log_bytes, {4 << 10}, {1 << 30});
  engine.topic_log.events = reader->Number(FLAGS_topic_log_events, 1, 100'000'000);
  engine.topic_log.age = reader->Time(FLAGS_topic_log_age, absl::Seconds(1), absl::Hours(24));
  engine.total_log_bytes = reader->Bytes(FLAGS_total_log_bytes, {64 << 10}, {uint64_t{1} << 40});
  engine.mailbox.bytes = reader->Bytes(FLAGS_mailbox_bytes, {4 << 10}, {1 << 30});
  // A log that cannot hold one message would lose every such message.
  const std::string at_least_a_body =
      absl::StrCat("has to hold at least one message of --max_body_bytes, ",
                   AbslUnparseFlag(absl::GetFlag(FLAGS_max_body_bytes)), ", twice over");
  reader->Require(engine.topic_log.bytes >= 2 * engine.max_body_bytes, FLAGS_topic_log_bytes,
                  at_least_a_body);
  reader->Require(engine.mailbox.bytes >= 2 * engine.max_body_bytes, FLAGS_mailbox_bytes,
                  at_least_a_body);
  reader->Require(engine.total_log_bytes >= engine.topic_log.bytes, FLAGS_total_log_bytes,
                  "has to be at least --topic_log_bytes");
  const std::string policy = absl::GetFlag(FLAGS_slow_consumer_policy);
  reader->Require(policy == "skip" || policy == "close", FLAGS_slow_consumer_policy,
                  "write skip or close");
  engine.slow_consumer_policy = policy == "close" ? v1::CLOSE : v1::SKIP;
}

void ReadTimes(Reader* reader, ServerOptions* options) {
  constexpr absl::Duration kShortest = absl::Milliseconds(10);
  constexpr absl::Duration kLongest = absl::Hours(24);
  WebSocketOptions& websocket = options->websocket;
  websocket.handshake_timeout = reader->Time(FLAGS_handshake_timeout, kShortest, kLongest);
  websocket.ping_interval = reader->Time(FLAGS_ping_interval, kShortest, kLongest);
  websocket.ping_timeout = reader->Time(FLAGS_ping_timeout, kShortest, kLongest);
  websocket.idle_timeout = reader->Time(FLAGS_idle_timeout, kShortest, kLongest);
  reader->Require(websocket.idle_timeout > websocket.ping_interval, FLAGS_idle_timeout,
                  absl::StrCat("has to be longer than --ping_interval (",
                               absl::FormatDuration(absl::GetFlag(FLAGS_ping_interval)),
                               "), or clients are closed before they are asked"));
  options->grpc.handshake_timeout = websocket.handshake_timeout;
  options->grpc.keepalive_time = websocket.ping_interval;
  options->grpc.keepalive_timeout = websocket.ping_timeout;
  options->engine.gather_time =
      reader->Time(FLAGS_gather_time, absl::ZeroDuration(), absl::Seconds(1));
  options->drain_time = reader->Time(FLAGS_drain_time, absl::ZeroDuration(), absl::Hours(1));
}

void ReadProcess(Reader* reader, ServerOptions* options) {
  options->engine.shards = reader->Number(FLAGS_shards, 0, 256);
  if (options->engine.shards == 0) {
    options->engine.shards = std::max(1u, std::thread::hardware_concurrency());
  }
  const std::string level = absl::GetFlag(FLAGS_log_level);
  options->log_level = spdlog::level::from_str(level);
  // from_str takes what it does not know for "off".
  reader->Require(options->log_level != spdlog::level::off || level == "off", FLAGS_log_level,
                  "write trace, debug, info, warning, error or off");
}

}  // namespace

absl::StatusOr<ServerOptions> ReadOptions() {
  Reader reader;
  ServerOptions options;
  ReadNetwork(&reader, &options);
  ReadLimits(&reader, &options);
  ReadLogs(&reader, &options);
  ReadTimes(&reader, &options);
  ReadProcess(&reader, &options);
  if (!reader.status().ok()) return reader.status();
  return options;
}

std::span<const FlagGroup> FlagGroups() { return kGroups; }

}  // namespace crier
