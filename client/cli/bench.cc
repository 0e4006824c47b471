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
    R"(Plays many clients from one thread, checks every event, and measures.

Modes:
  fanout   clients follow a topic; publishers send to it by the clock
  direct   each client sends itself direct messages, the next when one returns (or by --rate)
  storm    each client connects, broadcasts once, leaves, and comes again
  idle     clients connect and stay; with --server_pid: the server's growth for each
  study    the three scenarios of the k6 study, user by user

Messages carry the time they were due, so a server that stalls cannot hide it. Broadcasts are
checked by their offsets: what is neither received nor named by a gap is lost.
Exit codes: 0 all is well, 1 an event is unaccounted for or a session ended that should not have,
2 usage, 3 cannot connect.)";

void AddCommon(BenchOptions* options, OptionParser* parser) {
  parser->Group("Server:");
  parser->AddChoice("transport", &options->transport, {"ws", "grpc"}, "how to speak to it");
  parser->Add("url", &options->url, "URL", "its WebSocket");
  parser->Add("grpc", &options->grpc_address, "HOST:PORT",
              "its gRPC port; implies --transport=grpc");
  parser->Add("connections", &options->connections, "N",
              "gRPC connections that the streams are spread over; 0: one each, 100 at most", 0,
              20'000);
  parser->Add("server_pid", &options->server_pid, "PID",
              "report this process's CPU time and memory too; 0: none");
  parser->Group("All modes:");
  parser->Add("clients", &options->clients, "N", "how many (study: see --scale_users)", 1,
              1'000'000);
  parser->Add("duration", &options->duration, "TIME",
              "of the measured window (idle: how long to stay)");
  parser->Add("ramp", &options->ramp, "TIME", "over which connects are spread; 0s: at once");
  parser->Add("payload", &options->payload, "BYTES", "of a body; at least the time it carries", 0,
              1 << 20);
  parser->Add("drain", &options->drain, "TIME", "to wait at the end for what is under way");
  parser->Add("json", &options->json, "FILE",
              "write the results as one JSON object (keys: client/bench/README.md); -: to standard "
              "output, instead of the table");
}

void AddModes(BenchOptions* options, OptionParser* parser) {
  parser->Group("fanout (and direct and storm, for --rate):");
  parser->Add(
      "rate", &options->rate, "R",
      "messages per second in all; 0: 200 for fanout, ping-pong for direct. storm: sessions; "
      "0: as fast as they come",
      0, 10'000'000);
  parser->Add("publishers", &options->publishers, "P",
              "clients that publish, in turn; 0: all that read");
  parser->Add("topic", &options->topic, "TOPIC", "to publish to; empty: the one all follow");
  parser->Add("topics", &options->topics, "K",
              "spread the clients over topics TOPIC-0, TOPIC-1, ...; 0: one topic", 0, 1'000'000);
  parser->Add("readers", &options->readers, "PART", "of the clients that read; the others stall", 0,
              1);
  parser->Add("stalled", &options->stalled, "N", "of the clients never read");
  parser->Add("slow", &options->slow, "N", "of the clients read slowly");
  parser->Add("slow_rate", &options->slow_rate, "BYTES", "that a slow client reads per second", 1);
  parser->Group("direct:");
  parser->Add("inflight", &options->inflight, "N", "messages under way per client", 1, 100'000);
  parser->Group("study:");
  parser->Add("scale_time", &options->scale_time, "F",
              "multiplies the scenarios' starts and stages", 0.001, 100);
  parser->Add("scale_waits", &options->scale_waits, "F", "multiplies the waits of 0.7 s", 0.001,
              100);
  parser->Add("scale_users", &options->scale_users, "F", "multiplies the numbers of users", 0.001,
              100);
  parser->Add("messages", &options->messages, "N",
              "broadcasts of a rampUp50With100Messages iteration, between its first and its last; "
              "fewer make it fit a shorter run",
              0, 100'000);
  parser->Add("observers", &options->observers, "N",
              "clients that read all the time and check every broadcast", 0, 1'000);
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
  AddCommon(&options, &parser);
  AddModes(&options, &parser);
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (positional.size() != 1) {
    std::cerr << "crier bench: one MODE is needed: fanout, direct, storm, idle or study\n";
    return kUsage;
  }
  options.mode = positional[0];
  if (parser.given("grpc") && !parser.given("transport")) options.transport = "grpc";
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
