#include "server/options.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/byte_size.h"
#include "server/cluster_flags.h"
#include "server/flag_reader.h"
#include "server/net/address_blocks.h"
#include "server/net/origin_rules.h"

using crier::ByteSize;

// --- Network.
ABSL_FLAG(std::string, http_listen, "127.0.0.1:8000",
          "Listen here for HTTP and WebSocket. Separate several addresses by commas. Port 0 lets "
          "the system choose a port. A host name stands for all of its addresses. An empty value "
          "switches HTTP and WebSocket off, and with them the console and /metrics.");
ABSL_FLAG(std::string, grpc_listen, "127.0.0.1:50051",
          "Listen here for gRPC, in the same form. An empty value switches gRPC off.");
ABSL_FLAG(std::string, admin_listen, "127.0.0.1:50052",
          "Listen here for administrators: gRPC and HTTP on one port (docs/admin.md). With keys, "
          "callers need a token with the claim crier.admin. An empty value switches it off.");
ABSL_FLAG(std::string, allowed_origins, "",
          "Origins of web pages that may open WebSockets, separated by commas. "
          "https://*.example.org stands for all names below example.org, http://localhost:* for "
          "all ports, null for pages of files, * for every page. Pages from the server's own "
          "address are always allowed.");
ABSL_FLAG(std::string, allowed_hosts, "",
          "Names by which clients may ask for this server, separated by commas; * allows every "
          "name. Addresses and localhost are always allowed. Without a list any name is allowed, "
          "except where the server listens on loopback addresses only: there a page of another "
          "name has been made to ask this machine (DNS rebinding).");
ABSL_FLAG(std::string, trusted_proxies, "",
          "Addresses and networks of reverse proxies, separated by commas. What these say of their "
          "clients (X-Forwarded-For, X-Forwarded-Proto, Forwarded) counts for limits per address, "
          "for the log and for the origin of pages.");
ABSL_FLAG(bool, proxy_protocol, false,
          "Connections from --trusted_proxies begin with a header of the PROXY protocol (version 1 "
          "or 2), on both ports. It says who the client is.");
ABSL_FLAG(bool, compression, false,
          "Compress WebSocket messages (permessage-deflate) for clients that offer it.");
ABSL_FLAG(bool, io_uring, true,
          "Send to many clients with one system call, through io_uring. Where the kernel does not "
          "allow io_uring, each send is a call of its own.");
ABSL_FLAG(bool, enable_echo, false,
          "Serve /echo, which sends every WebSocket message back unchanged. For conformance "
          "tests.");
ABSL_FLAG(int64_t, grpc_max_streams_per_connection, 1024,
          "Most calls that one gRPC connection may have open at once.");

ABSL_FLAG(absl::Duration, grpc_max_connection_age, absl::ZeroDuration(),
          "End a gRPC connection that is older, give or take a tenth, so that load balancers can "
          "spread clients anew. Its client is told first. 0: never.");
ABSL_FLAG(absl::Duration, grpc_max_connection_age_grace, absl::Seconds(10),
          "How long the calls of such a connection may go on.");

// --- Trust.
ABSL_FLAG(std::string, tls_cert, "",
          "Speak TLS on both ports, with the certificate in this file (PEM), which those that it "
          "leads to follow. The files are read again when they change, and on SIGHUP.");
ABSL_FLAG(std::string, tls_key, "", "The key of that certificate (PEM, without a password).");
ABSL_FLAG(std::string, tls_client_ca, "",
          "Let in only clients whose certificate leads to one of those in this file (PEM).");
ABSL_FLAG(std::string, tls_user_from, "none",
          "Where a client's certificate says who its user is. none: nowhere. cn: the subject's "
          "common name. san: the first of its alternative names that is a URI, an address of mail, "
          "or a name of DNS.");

ABSL_FLAG(bool, insecure, false,
          "Listen on addresses that other machines reach, even without TLS or without a way to "
          "know who a client is. The log says at the start what is open.");

// --- Limits.
ABSL_FLAG(ByteSize, max_body_bytes, ByteSize{64 << 10}, "Largest body of a message.");
ABSL_FLAG(int64_t, max_topics_per_session, 128, "Most topics that one session may follow.");
ABSL_FLAG(int64_t, max_sessions, 0,
          "Most connections at once. 0: as many as the limit of open files (ulimit -n) allows, "
          "with some kept for the server itself.");
ABSL_FLAG(int64_t, max_sessions_per_address, 0,
          "Most connections at once from one client address. 0: no limit.");
ABSL_FLAG(int64_t, max_sessions_per_user, 0,
          "Most sessions at once of one user, on both transports. 0: no limit.");
ABSL_FLAG(int64_t, max_connections_per_second, 0,
          "Most connections that are taken in a second; after a quiet time, five times as many at "
          "once. 0: no limit.");
ABSL_FLAG(
    int64_t, max_connections_per_second_per_address, 0,
    "The same from one client address, where an IPv6 address counts as its network of 64 bits. "
    "0: no limit.");
ABSL_FLAG(int64_t, max_calls_per_second_per_address, 0,
          "Most calls that one client address may make in a second, by gRPC and by HTTP; after a "
          "quiet time, five times as many at once. 0: no limit.");
ABSL_FLAG(int64_t, max_messages_per_second, 0,
          "Most messages that one session may send in a second. 0: no limit.");
ABSL_FLAG(ByteSize, max_bytes_per_second, ByteSize{0},
          "Most bytes of messages that one session may send in a second. 0: no limit.");
ABSL_FLAG(int64_t, max_errors, 100,
          "A session is closed when this many of its messages are refused within 10 s.");

// --- Topic logs and slow consumers.
ABSL_FLAG(ByteSize, topic_log_bytes, ByteSize{1 << 20},
          "Most bytes of past messages that one topic keeps.");
ABSL_FLAG(int64_t, topic_log_events, 10'000, "Most past messages that one topic keeps.");
ABSL_FLAG(absl::Duration, topic_log_age, absl::Minutes(5), "How long a topic keeps a message.");
ABSL_FLAG(
    ByteSize, memory_budget, ByteSize{256 << 20},
    "All that clients can make the server keep. Near it, topics that nobody uses are forgotten; "
    "at it, publishes are refused with OVERLOADED.");
ABSL_FLAG(ByteSize, total_log_bytes, ByteSize{256 << 20}, "An older name of --memory_budget.")
    .OnUpdate([] { absl::SetFlag(&FLAGS_memory_budget, absl::GetFlag(FLAGS_total_log_bytes)); });
ABSL_FLAG(
    int64_t, max_topics, 1'000'000,
    "Topics at once. Beyond this, the one that was unused for the longest time is forgotten.");
ABSL_FLAG(
    int64_t, max_remembered_ids, 1'000'000,
    "Ids of publishes that the server remembers, for 5 minutes each, so that a repeated one is "
    "not published twice.");
ABSL_FLAG(ByteSize, mailbox_bytes, ByteSize{256 << 10},
          "Most bytes of direct messages and answers that wait for one session.");
ABSL_FLAG(std::string, slow_consumer_policy, "skip",
          "What to do with a session that reads so slowly that messages it has not received are "
          "dropped from a topic's log. skip: tell it which ones it missed, and go on with newer "
          "ones. close: end the session.");

// --- Times.
ABSL_FLAG(absl::Duration, handshake_timeout, absl::Seconds(10),
          "A connection that has not become a session by then is closed.");
ABSL_FLAG(absl::Duration, ping_interval, absl::Seconds(25),
          "A client that has sent nothing for this long is sent a ping.");
ABSL_FLAG(absl::Duration, ping_timeout, absl::Seconds(10),
          "A client that has sent nothing for this long after a ping is closed. Any byte counts as "
          "an answer.");
ABSL_FLAG(absl::Duration, idle_timeout, absl::Seconds(35),
          "A client that has neither sent nor received a byte for this long is closed.");
ABSL_FLAG(absl::Duration, heartbeat_interval, absl::Seconds(25),
          "A gRPC stream that has sent nothing for this long sends an empty frame, so that proxies "
          "with a timeout for idle streams keep it. 0: never.");
ABSL_FLAG(absl::Duration, gather_time, absl::Milliseconds(5),
          "Longest pause between two rounds of sending when a shard is busy with broadcasts. "
          "Messages gather meanwhile, so that there are fewer and longer writes. 0: no pause.");
ABSL_FLAG(absl::Duration, drain_time, absl::Seconds(10),
          "On SIGTERM, close sessions one after the other over this time, then exit.");

// --- Process.
ABSL_FLAG(int64_t, shards, 0, "Number of threads that serve sessions. 0: one for each core.");
ABSL_FLAG(bool, check, false,
          "Read all flags and the files that they name, say what is wrong, and exit without "
          "starting: 0 if all is right, else 2.");
ABSL_FLAG(std::string, log_level, "info",
          "How much to log, to standard error: trace, debug, info, warning, error or off.");

namespace crier {
namespace {

constexpr std::string_view kAddresses = "HOST:PORT, e.g. 127.0.0.1:8000,[::1]:8000";
constexpr std::string_view kNumber = "a whole number, e.g. 100";
constexpr std::string_view kSize = "a number of bytes, e.g. 65536, 64KiB or 1MiB";
constexpr std::string_view kTime = "a time with its unit, e.g. 500ms, 25s or 5m";
constexpr std::string_view kFile = "the path of a file";
constexpr std::string_view kSwitch = "true or false";

constexpr FlagHelp kNetwork[] = {
    {"http_listen", "ADDRESSES", kAddresses},
    {"grpc_listen", "ADDRESSES", kAddresses},
    {"admin_listen", "ADDRESSES", kAddresses},
    {"allowed_origins", "ORIGINS", "e.g. https://example.org,https://*.example.net:8443"},
    {"allowed_hosts", "HOSTS", "e.g. chat.example.org,*.example.net"},
    {"trusted_proxies", "NETWORKS", "e.g. 127.0.0.1,10.0.0.0/8"},
    {"proxy_protocol", "", kSwitch},
    {"compression", "", kSwitch},
    {"io_uring", "", kSwitch},
    {"enable_echo", "", kSwitch},
    {"grpc_max_streams_per_connection", "N", kNumber},
    {"grpc_max_connection_age", "TIME", kTime},
    {"grpc_max_connection_age_grace", "TIME", kTime},
};
constexpr FlagHelp kTrust[] = {
    {"tls_cert", "FILE", kFile},      {"tls_key", "FILE", kFile},
    {"tls_client_ca", "FILE", kFile}, {"tls_user_from", "none|cn|san", "none, cn or san"},
    {"insecure", "", kSwitch},
};
constexpr FlagHelp kLimits[] = {
    {"max_body_bytes", "SIZE", kSize},
    {"max_topics_per_session", "N", kNumber},
    {"max_sessions", "N", kNumber},
    {"max_sessions_per_address", "N", kNumber},
    {"max_sessions_per_user", "N", kNumber},
    {"max_connections_per_second", "N", kNumber},
    {"max_connections_per_second_per_address", "N", kNumber},
    {"max_calls_per_second_per_address", "N", kNumber},
    {"max_messages_per_second", "N", kNumber},
    {"max_bytes_per_second", "SIZE", kSize},
    {"max_errors", "N", kNumber},
};
constexpr FlagHelp kLogs[] = {
    {"topic_log_bytes", "SIZE", kSize},
    {"topic_log_events", "N", kNumber},
    {"topic_log_age", "TIME", kTime},
    {"memory_budget", "SIZE", kSize},
    {"total_log_bytes", "SIZE", kSize},
    {"max_topics", "N", kNumber},
    {"max_remembered_ids", "N", kNumber},
    {"mailbox_bytes", "SIZE", kSize},
    {"slow_consumer_policy", "skip|close", "skip or close"},
};
constexpr FlagHelp kTimes[] = {
    {"handshake_timeout", "TIME", kTime},  {"ping_interval", "TIME", kTime},
    {"ping_timeout", "TIME", kTime},       {"idle_timeout", "TIME", kTime},
    {"heartbeat_interval", "TIME", kTime}, {"gather_time", "TIME", kTime},
    {"drain_time", "TIME", kTime},
};
constexpr FlagHelp kProcess[] = {
    {"shards", "N", kNumber},
    {"check", "", kSwitch},
    {"log_level", "LEVEL", "trace, debug, info, warning, error or off"},
};
const FlagGroup kGroups[] = {
    {"Network", kNetwork}, {"Trust", kTrust},           {"Tokens and permissions", AuthFlags()},
    {"Limits", kLimits},   {"Cluster", ClusterFlags()}, {"Topic logs and slow consumers", kLogs},
    {"Times", kTimes},     {"Process", kProcess},
};

using Reader = FlagReader;

void ReadNetwork(Reader* reader, ServerOptions* options) {
  options->http_listen = reader->Addresses(FLAGS_http_listen);
  options->grpc_listen = reader->Addresses(FLAGS_grpc_listen);
  options->admin_listen = reader->Addresses(FLAGS_admin_listen);
  if (options->http_listen.empty() && options->grpc_listen.empty()) {
    reader->Fail(
        "--http_listen and --grpc_listen are both empty, so no client could connect; give one of "
        "them an address, e.g. --http_listen=127.0.0.1:8000");
  }
  reader->Parse(FLAGS_allowed_origins, &OriginRules::Parse, &options->websocket.allowed_origins);
  reader->Parse(FLAGS_allowed_hosts, &HostRules::Parse, &options->websocket.allowed_hosts);
  reader->Parse(FLAGS_trusted_proxies, &AddressBlocks::Parse,
                &options->connections.trusted_proxies);
  options->websocket.proxy_protocol = absl::GetFlag(FLAGS_proxy_protocol);
  options->grpc.proxy_protocol = options->websocket.proxy_protocol;
  reader->RequireFit(!options->grpc.proxy_protocol || !options->connections.trusted_proxies.empty(),
                     FLAGS_proxy_protocol, FLAGS_trusted_proxies,
                     "name the proxies whose connections begin with the header, e.g. "
                     "--trusted_proxies=10.0.0.0/8");
  options->websocket.compression = absl::GetFlag(FLAGS_compression);
  options->websocket.io_uring = absl::GetFlag(FLAGS_io_uring);
  options->grpc.io_uring = options->websocket.io_uring;
  options->websocket.enable_echo = absl::GetFlag(FLAGS_enable_echo);
  options->grpc.max_streams_per_connection =
      static_cast<int>(reader->Number(FLAGS_grpc_max_streams_per_connection, 1, 1'000'000));
}

void ReadTrust(Reader* reader, ServerOptions* options) {
  TlsOptions& tls = options->tls;
  tls.cert_file = absl::GetFlag(FLAGS_tls_cert);
  tls.key_file = absl::GetFlag(FLAGS_tls_key);
  tls.client_ca_file = absl::GetFlag(FLAGS_tls_client_ca);
  reader->RequireFit(tls.cert_file.empty() == tls.key_file.empty(), FLAGS_tls_cert, FLAGS_tls_key,
                     "a certificate and its key belong together; give both or neither");
  reader->RequireFit(tls.client_ca_file.empty() || tls.enabled(), FLAGS_tls_client_ca,
                     FLAGS_tls_cert, "clients have certificates only where the server has one");
  options->insecure = absl::GetFlag(FLAGS_insecure);
  const std::string from = absl::GetFlag(FLAGS_tls_user_from);
  reader->Require(from == "none" || from == "cn" || from == "san", FLAGS_tls_user_from,
                  "write none, cn or san");
  tls.user_from = from == "cn"    ? TlsUserFrom::kCommonName
                  : from == "san" ? TlsUserFrom::kSubjectAltName
                                  : TlsUserFrom::kNone;
  reader->RequireFit(tls.user_from == TlsUserFrom::kNone || !tls.client_ca_file.empty(),
                     FLAGS_tls_user_from, FLAGS_tls_client_ca,
                     "name the certificates that a client's has to lead to");
}

void ReadLimits(Reader* reader, ServerOptions* options) {
  const size_t body = reader->Bytes(FLAGS_max_body_bytes, {1}, {16 << 20});
  options->engine.max_body_bytes = body;
  options->websocket.max_body_bytes = body;
  options->websocket.max_message_bytes = WebSocketOptions::MaxMessageBytes(body);
  // The room for the rest of a message, as in the default.
  options->grpc.max_receive_bytes = 2 * body + (4 << 10);
  options->engine.max_topics_per_session =
      reader->Number(FLAGS_max_topics_per_session, 0, 1'000'000);
  options->connections.total = reader->Number(FLAGS_max_sessions, 0, 1 << 20);
  options->connections.per_address = reader->Number(FLAGS_max_sessions_per_address, 0, 1 << 20);
  options->connections.rates = {
      .total = reader->Number(FLAGS_max_connections_per_second, 0, 1'000'000),
      .per_address = reader->Number(FLAGS_max_connections_per_second_per_address, 0, 1'000'000)};
  options->connections.calls_per_address =
      reader->Number(FLAGS_max_calls_per_second_per_address, 0, 1'000'000);
  options->engine.max_messages_per_second =
      reader->Number(FLAGS_max_messages_per_second, 0, 1'000'000'000);
  options->engine.max_bytes_per_second = reader->Bytes(FLAGS_max_bytes_per_second, {0}, {1 << 30});
  options->engine.max_sessions_per_user = reader->Number(FLAGS_max_sessions_per_user, 0, 1 << 20);
  options->engine.max_errors = reader->Number(FLAGS_max_errors, 1, 1'000'000'000);
}

void ReadLogs(Reader* reader, ServerOptions* options) {
  EngineOptions& engine = options->engine;
  engine.topic_log.bytes = reader->Bytes(FLAGS_topic_log_bytes, {4 << 10}, {1 << 30});
  engine.topic_log.events = reader->Number(FLAGS_topic_log_events, 1, 100'000'000);
  engine.topic_log.age = reader->Time(FLAGS_topic_log_age, absl::Seconds(1), absl::Hours(24));
  engine.memory_budget = reader->Bytes(FLAGS_memory_budget, {64 << 10}, {uint64_t{1} << 40});
  engine.mailbox.bytes = reader->Bytes(FLAGS_mailbox_bytes, {4 << 10}, {1 << 30});
  // A log that cannot hold one message would lose every such message.
  constexpr char kRoom[] = " has to be at least twice --max_body_bytes";
  reader->RequireFit(engine.topic_log.bytes >= 2 * engine.max_body_bytes, FLAGS_topic_log_bytes,
                     FLAGS_max_body_bytes, absl::StrCat("--topic_log_bytes", kRoom));
  reader->RequireFit(engine.mailbox.bytes >= 2 * engine.max_body_bytes, FLAGS_mailbox_bytes,
                     FLAGS_max_body_bytes, absl::StrCat("--mailbox_bytes", kRoom));
  reader->RequireFit(engine.memory_budget >= engine.topic_log.bytes, FLAGS_memory_budget,
                     FLAGS_topic_log_bytes, "--memory_budget has to be at least --topic_log_bytes");
  engine.max_topics = reader->Number(FLAGS_max_topics, 1, 1'000'000'000);
  engine.remembered_ids = reader->Number(FLAGS_max_remembered_ids, 1, 1'000'000'000);
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
  options->engine.hello_timeout = websocket.handshake_timeout;
  options->engine.token_timeout = websocket.handshake_timeout;
  websocket.ping_interval = reader->Time(FLAGS_ping_interval, kShortest, kLongest);
  websocket.ping_timeout = reader->Time(FLAGS_ping_timeout, kShortest, kLongest);
  websocket.idle_timeout = reader->Time(FLAGS_idle_timeout, kShortest, kLongest);
  reader->RequireFit(websocket.idle_timeout > websocket.ping_interval, FLAGS_idle_timeout,
                     FLAGS_ping_interval,
                     "--idle_timeout has to be longer than --ping_interval, or clients are closed "
                     "before they are pinged");
  options->grpc.handshake_timeout = websocket.handshake_timeout;
  options->grpc.keepalive_time = websocket.ping_interval;
  options->grpc.keepalive_timeout = websocket.ping_timeout;
  options->grpc.heartbeat_interval =
      reader->Time(FLAGS_heartbeat_interval, absl::ZeroDuration(), kLongest);
  options->grpc.max_connection_age =
      reader->Time(FLAGS_grpc_max_connection_age, absl::ZeroDuration(), 365 * kLongest);
  options->grpc.max_connection_age_grace =
      reader->Time(FLAGS_grpc_max_connection_age_grace, absl::ZeroDuration(), kLongest);
  options->engine.gather_time =
      reader->Time(FLAGS_gather_time, absl::ZeroDuration(), absl::Seconds(1));
  options->drain_time = reader->Time(FLAGS_drain_time, absl::ZeroDuration(), absl::Hours(1));
}

void ReadProcess(Reader* reader, ServerOptions* options) {
  options->engine.shards = reader->Number(FLAGS_shards, 0, 256);
  if (options->engine.shards == 0) {
    options->engine.shards = std::max(1u, std::thread::hardware_concurrency());
  }
  options->check_only = absl::GetFlag(FLAGS_check);
  const std::string level = absl::GetFlag(FLAGS_log_level);
  options->log_level = spdlog::level::from_str(level);
  // from_str treats an unknown name as "off".
  reader->Require(options->log_level != spdlog::level::off || level == "off", FLAGS_log_level,
                  "write trace, debug, info, warning, error or off");
}

}  // namespace

absl::StatusOr<ServerOptions> ReadOptions(const FlagOrigins& origins) {
  Reader reader(origins);
  ServerOptions options;
  ReadNetwork(&reader, &options);
  ReadTrust(&reader, &options);
  ReadAuth(&reader, &options.auth);
  // A flag that the other one would make mean nothing.
  if (!options.auth.keys.empty() && options.tls.user_from != TlsUserFrom::kNone) {
    reader.Fail(
        "--tls_user_from does not fit --auth_keys and --auth_jwks: with keys, a client is whom its "
        "token names");
  }
  ReadLimits(&reader, &options);
  ReadCluster(&reader, &options.cluster);
  ReadLogs(&reader, &options);
  ReadTimes(&reader, &options);
  ReadProcess(&reader, &options);
  if (!reader.status().ok()) return reader.status();
  return options;
}

std::vector<std::pair<std::string, std::string>> FlagValues() {
  std::vector<std::pair<std::string, std::string>> values;
  for (const FlagGroup& group : kGroups) {
    for (const FlagHelp& flag : group.flags) {
      const absl::CommandLineFlag* found = absl::FindCommandLineFlag(std::string(flag.name));
      if (found == nullptr) continue;
      std::string value = found->CurrentValue();
      if (flag.name == "cluster_url") value = WithoutPasswords(value);
      values.emplace_back(flag.name, std::move(value));
    }
  }
  return values;
}

std::span<const FlagGroup> FlagGroups() { return kGroups; }

}  // namespace crier
