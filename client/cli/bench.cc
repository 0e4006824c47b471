#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/bench/bench_options.h"
#include "client/bench/report.h"
#include "client/bench/workload.h"
#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/option_parser.h"

namespace crier::cli {
namespace {

using bench::BenchOptions;

constexpr char kAbout[] =
    R"(Simulates many clients from one thread, checks every event, and measures.

Modes:
  fanout   clients follow a topic; publishers send to it at a fixed rate
  direct   each client sends direct messages to itself, the next one when the last one has
           returned (or at --rate)
  storm    each client connects, broadcasts once, leaves, and comes again
  idle     clients connect and stay; with --server_pid, prints how much the server grew for each
  study    the three scenarios of the k6 study, user by user

A message carries the time at which it was due, not the time at which it was sent, so latencies
include the time for which a server stalls. Broadcasts are checked by their offsets: an event that
is neither received nor named by a gap is lost.
Exit codes: 0 all is well, 1 an event is unaccounted for or a session ended that should not have,
2 wrong usage, 3 cannot connect.)";

void AddCommon(BenchOptions* options, std::string* token_file, OptionParser* parser) {
  parser->Group("Server:");
  parser->AddChoice("transport", &options->transport, {"ws", "grpc"}, "which transport to use");
  parser->Add("url", &options->url, "URL",
              "address of its WebSocket, ws://HOST:PORT/ws or wss:// for TLS");
  parser->Add("grpc", &options->grpc_address, "HOST:PORT",
              "address of its gRPC port; implies --transport=grpc");
  parser->Add("cacert", &options->tls.ca, "FILE",
              "trust the server whose certificate leads to one in this file; with --grpc it also "
              "asks for TLS");
  parser->Add(
      "token-file", token_file, "FILE",
      "a file with the token that a server asks for; all clients give it (see crier token)");
  parser->Add(
      "connections", &options->connections, "N",
      "number of gRPC connections to spread the streams over; 0: one for each client, at most "
      "100",
      0, 20'000);
  parser->Add("server_pid", &options->server_pid, "PID",
              "also report CPU time and memory of this process; 0: of none");
  parser->Group("All modes:");
  parser->Add("clients", &options->clients, "N", "number of clients (for study, see --scale_users)",
              1, 1'000'000);
  parser->Add("duration", &options->duration, "TIME",
              "how long to measure (idle: how long to stay)");
  parser->Add("ramp", &options->ramp, "TIME",
              "spread the connects over this time; 0s: all at once");
  parser->Add("payload", &options->payload, "BYTES",
              "size of a message's body; the time that it carries is the minimum", 0, 1 << 20);
  parser->Add("drain", &options->drain, "TIME",
              "how long to wait at the end for messages that are still on their way");
  parser->Add(
      "json", &options->json, "FILE",
      "write the results to this file as one JSON object (client/bench/README.md explains the "
      "keys); -: print it instead of the table");
}

void AddModes(BenchOptions* options, OptionParser* parser) {
  parser->Group("fanout (and direct and storm, for --rate):");
  parser->Add(
      "rate", &options->rate, "R",
      "messages per second, all clients together. 0: 200 for fanout; for direct, the next one "
      "when the last one has returned. storm: sessions per second; 0: as many as possible",
      0, 10'000'000);
  parser->Add("publishers", &options->publishers, "P",
              "number of clients that publish, in turn; 0: all clients that read");
  parser->Add("topic", &options->topic, "TOPIC",
              "topic to publish to; empty: the common topic, which every session follows");
  parser->Add("topics", &options->topics, "K",
              "spread the clients over K topics: TOPIC-0, TOPIC-1, ...; 0: use one topic", 0,
              1'000'000);
  parser->Add("readers", &options->readers, "PART",
              "share of the clients that read; the others never read", 0, 1);
  parser->Add("stalled", &options->stalled, "N", "number of clients that never read");
  parser->Add("slow", &options->slow, "N", "number of clients that read slowly");
  parser->Add("slow_rate", &options->slow_rate, "BYTES",
              "bytes that a slow client reads per second", 1);
  parser->Group("direct:");
  parser->Add("inflight", &options->inflight, "N",
              "messages of one client that may be on their way at once", 1, 100'000);
  parser->Group("study:");
  parser->Add("scale_time", &options->scale_time, "F",
              "multiply the scenarios' start times and stages by this", 0.001, 100);
  parser->Add("scale_waits", &options->scale_waits, "F", "multiply the waits of 0.7 s by this",
              0.001, 100);
  parser->Add("scale_users", &options->scale_users, "F", "multiply the numbers of users by this",
              0.001, 100);
  parser->Add(
      "messages", &options->messages, "N",
      "broadcasts in one iteration of rampUp50With100Messages, besides its first and its last; "
      "take fewer for a shorter run",
      0, 100'000);
  parser->Add("observers", &options->observers, "N",
              "number of clients that read all the time and check every broadcast", 0, 1'000);
}

// False, after saying why: the results could not be written.
bool Publish(const BenchOptions& options, const bench::Report& report) {
  if (options.json == "-") {
    std::cout << report.Json();
    return true;
  }
  std::cout << report.Table();
  if (options.json.empty()) return true;
  std::ofstream file(options.json);
  file << report.Json();
  file.flush();
  if (file) return true;
  std::cerr << "crier bench: cannot write " << options.json << "\n";
  return false;
}

}  // namespace

int Bench(const std::vector<std::string>& arguments) {
  BenchOptions options;
  OptionParser parser("crier bench MODE [options]", kAbout);
  std::string token_file;
  AddCommon(&options, &token_file, &parser);
  AddModes(&options, &parser);
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (positional.size() != 1) {
    std::cerr << "crier bench: exactly one MODE is needed: fanout, direct, storm, idle or study\n";
    return kUsage;
  }
  options.mode = positional[0];
  if (parser.given("grpc") && !parser.given("transport")) options.transport = "grpc";
  absl::StatusOr<std::string> token = ReadTokenFile(token_file);
  if (!token.ok()) return Complain("bench", token.status());
  options.token = *std::move(token);
  if (absl::Status status = bench::Validate(options); !status.ok()) {
    return Complain("bench", status);
  }
  bench::Report report;
  const std::unique_ptr<bench::Workload> workload = bench::MakeWorkload(options);
  if (absl::Status status = workload->Run(&report); !status.ok()) {
    return Complain("bench", status);
  }
  if (!Publish(options, report)) return kUsage;
  return report.failed() ? kRefused : kOk;
}

}  // namespace crier::cli
